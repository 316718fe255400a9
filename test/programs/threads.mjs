// Loops of worker threads: `node threads.mjs blocks | stuck | terminated`, with an SDK in each thread.
import { once } from 'node:events';
import inspector from 'node:inspector';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { inSpan, sleep, timed, truth } from './lib.mjs';

/** By its own clock: the CPU time of a process is that of all its threads. */
function resize(ms) {
  for (const end = performance.now() + ms; performance.now() < end; );
}

function waitForDisk(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Holds the calling thread's loop inside a span; gives what it truly took. */
async function block(name, hold, ms) {
  let took = 0;
  const spanId = await inSpan(name, async () => {
    await sleep(5);
    took = timed(() => hold(ms));
    await sleep(5);
  });
  return { name, spanId, ms: took };
}

function startWorker(what, name) {
  return new Worker(new URL(import.meta.url), { workerData: { what }, name });
}

/** Names of the process's worker threads. */
async function threadNames() {
  const session = new inspector.Session();
  session.connect();
  const names = [];
  session.on('NodeWorker.attachedToWorker', ({ params }) => names.push(params.workerInfo.title));
  await new Promise((resolve) => session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, resolve));
  session.disconnect();
  return names;
}

const ofMain = {
  /** The worker's loop is held while main has a span in flight, and main's while the worker has one. */
  async blocks() {
    const worker = startWorker('blocks', 'images');
    await once(worker, 'message');
    worker.postMessage('go');
    const bystander = inSpan('main bystander', () => sleep(600));
    const [told] = await once(worker, 'message');
    truth({ names: await threadNames() });
    for (const facts of told) truth(facts);
    worker.postMessage('go');
    truth({ ...(await block('main block', resize, 120)) });
    truth({ name: 'main bystander', spanId: await bystander });
    const [idle] = await once(worker, 'message');
    truth({ name: 'worker bystander', spanId: idle });
    await once(worker, 'exit');
  },

  /** The worker's loop is stuck for so long that the thread speaks for it. */
  async stuck() {
    const worker = startWorker('stuck', 'images');
    await once(worker, 'message');
    worker.postMessage('go');
    const [told] = await once(worker, 'message');
    truth(told);
    await once(worker, 'exit');
  },

  /** A worker is terminated in the midst of a block: others are watched as before. */
  async terminated() {
    const worker = startWorker('stuck', 'images');
    await once(worker, 'message');
    worker.postMessage('go');
    await sleep(300);
    await worker.terminate();
    await sleep(1500);
    truth({ ...(await block('main block', resize, 120)) });
    await sleep(300);
  },
};

const ofWorker = {
  async blocks() {
    await once(parentPort, 'message');
    const told = [await block('worker cpu', resize, 120), await block('worker wait', waitForDisk, 130)];
    parentPort.postMessage(told);
    await once(parentPort, 'message');
    parentPort.postMessage(await inSpan('worker bystander', () => sleep(200)));
  },

  async stuck() {
    await once(parentPort, 'message');
    parentPort.postMessage(await block('worker stuck', resize, 1000));
  },
};

if (isMainThread) {
  await sleep(200);
  await ofMain[process.argv[2]]();
  await sleep(500);
} else {
  await sleep(200);
  parentPort.postMessage('ready');
  await ofWorker[workerData.what]();
  await sleep(300);
}
