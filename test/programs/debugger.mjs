// A debugger pauses the program in mid-function for a while: nobody holds the loop.
import inspector from 'node:inspector';
import { Worker } from 'node:worker_threads';
import { inSpan, sleep, truth } from './lib.mjs';

inspector.open(0, '127.0.0.1');
// a debugger of another thread's, as a client of the inspector's port is
const worker = new Worker(
  `const { Session } = require('node:inspector');
   const { parentPort } = require('node:worker_threads');
   const session = new Session();
   session.connectToMainThread();
   session.on('Debugger.paused', () => setTimeout(() => session.post('Debugger.resume'), 400));
   session.post('Debugger.enable', () => parentPort.postMessage('ready'));
   parentPort.on('message', () => session.post('Debugger.disable', () => process.exit()));`,
  { eval: true, execArgv: [], env: {} },
);
await new Promise((resolve) => worker.once('message', resolve));
await sleep(300);
let ms = 0;
const spanId = await inSpan('paused', async () => {
  await sleep(5);
  const start = performance.now();
  // biome-ignore lint/suspicious/noDebugger: it is what this program is about
  debugger;
  ms = performance.now() - start;
  await sleep(100);
});
truth({ spanId, ms });
worker.postMessage('end');
await new Promise((resolve) => worker.once('exit', resolve));
inspector.close();
await sleep(400);
