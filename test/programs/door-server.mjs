// An HTTP server that holds its loop in every request but /health, as `node door-server.mjs '{"hold":"wait","ms":100}'`.
// Prints its port, and at the end when each request began: its clock is the one that the clients time themselves by.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { trace } from '@opentelemetry/api';
import { busy, clock, sleep, truth } from './lib.mjs';

const {
  host = '127.0.0.1',
  hold = 'wait',
  ms = 100,
  after = 0,
  backlog = 511,
  workers = 0,
  policy,
} = JSON.parse(process.argv[2] ?? '{}');
if (policy) cluster.schedulingPolicy = policy === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;

const word = new Int32Array(new SharedArrayBuffer(4));
const holds = {
  // as `commitMessageSync` does: asleep in native code
  wait: () => Atomics.wait(word, 0, 0, ms),
  busy: () => busy(ms),
};

function serve() {
  const began = [];
  const server = createServer(async (request, response) => {
    began.push({ at: clock(), traceId: trace.getActiveSpan()?.spanContext().traceId });
    if (!request.url.startsWith('/health')) {
      if (after > 0) await sleep(after);
      holds[hold]();
    }
    response.end('ok');
  });
  // a stuck server takes what it has not read for silence, and closes the connection
  server.keepAliveTimeout = 60_000;
  server.listen({ port: 0, host, backlog }, () => console.log(`listening on ${server.address().port}`));
  const end = () => {
    truth({ began });
    server.close();
    server.closeAllConnections();
    if (cluster.isWorker) cluster.worker.disconnect();
  };
  if (cluster.isWorker) process.once('message', end);
  else process.once('SIGTERM', end);
}

if (workers > 0 && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();
  process.once('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers)) worker.send('end');
  });
} else serve();
