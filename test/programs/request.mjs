/** An HTTP server whose only request blocks the loop, long after start-up; prints the block and the server's span. */
import { createServer, get } from 'node:http';
import { trace } from '@opentelemetry/api';
import { sleep, timed, truth } from './lib.mjs';

const cell = new Int32Array(new SharedArrayBuffer(4));

const server = createServer((_request, response) => {
  // asleep, not busy: as long on a machine that has no time for this process
  const ms = timed(function culprit() {
    Atomics.wait(cell, 0, 0, 150);
  });
  truth({ ms, spanId: trace.getActiveSpan()?.spanContext().spanId });
  response.end('done');
});
server.listen(0, '127.0.0.1', async () => {
  // start-up is over, and the thread watches
  await sleep(300);
  get({ port: server.address().port, agent: false }, (response) => response.resume().on('end', () => server.close()));
});
