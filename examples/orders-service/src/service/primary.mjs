/** The service's first process: starts the workers, passes questions on to them, and ends them. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { attach } from '../child.mjs';
import { settings } from '../settings.mjs';
import { Unable } from '../unable.mjs';

const workers = [];

attach(
  async () => {
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('./worker.mjs', import.meta.url)),
      // This is all that a service needs: its own OpenTelemetry set-up, and loopblame beside it.
      execArgv: [
        '--import',
        fileURLToPath(new URL('./telemetry.mjs', import.meta.url)),
        '--import',
        'loopblame/register',
      ],
      serialization: 'advanced',
    });
    for (let i = 0; i < settings.workers; i++) workers.push(cluster.fork({ PARTITION: String(i) }));
    process.send({ started: workers.map((worker) => worker.process.pid) });
    const [first] = await Promise.all(workers.map(ready));
    return { port: first.port, pids: workers.map((worker) => worker.process.pid) };
  },
  { begin: () => askAll('begin'), settle: () => askAll('settle') },
);

// A worker that is busy waiting notices neither signals nor that its parent is gone.
process.on('exit', () => {
  for (const worker of workers) worker.process.kill('SIGKILL');
});

async function ready(worker) {
  const exited = once(worker, 'exit').then(([code, signal]) => {
    throw new Unable(
      `Worker ${worker.id} of the service ended unexpectedly (${signal ?? code}): out/service-*.log says why.`,
    );
  });
  exited.catch((error) => {
    // also while no one waits for it: a run on three workers would be another story
    if (!worker.exitedAfterDisconnect) process.send({ failed: { sentence: error.message } });
  });
  const said = new Promise((resolve, reject) => {
    worker.on('message', ({ ready, failed }) => {
      if (ready) resolve(ready);
      if (failed?.sentence) reject(new Unable(failed.sentence));
      else if (failed) reject(Object.assign(new Error(), { stack: failed.stack }));
    });
  });
  return Promise.race([said, exited]);
}

let asked = 0;

function askAll(question) {
  return Promise.all(
    workers.map((worker) => {
      const id = ++asked;
      return new Promise((resolve) => {
        worker.on('message', function listen(message) {
          if (message.id !== id) return;
          worker.off('message', listen);
          resolve(message.answer);
        });
        worker.send({ question, id });
      });
    }),
  );
}
