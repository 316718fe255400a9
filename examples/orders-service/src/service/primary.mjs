/** The service's first process: starts the workers, passes questions on to them, and ends them. */
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { attach } from '../child.mjs';
import { settings } from '../settings.mjs';

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

/** Resolves when the worker is ready. A run that goes on with three workers would be another story: whatever fails is told. */
function ready(worker) {
  worker.once('exit', (code, signal) => {
    const how = signal ? `by ${signal}` : `with exit code ${code}`;
    process.send({
      failed: { sentence: `A worker of the service ended unexpectedly ${how}: its log in out/ may say why.` },
    });
  });
  return new Promise((resolve) => {
    worker.on('message', (message) => {
      if (message.failed) process.send(message);
      if (message.ready) resolve(message.ready);
    });
  });
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
