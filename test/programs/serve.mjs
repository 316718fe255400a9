/** An HTTP server that blocks once for the given time, as `GET /block` tells it, and says for how long it really did. */
import { createServer, get } from 'node:http';
import { trace } from '@opentelemetry/api';

const blockMs = 80;

function spin(ms) {
  const start = performance.now();
  while (performance.now() - start < ms);
  return performance.now() - start;
}

const server = createServer((request, response) => {
  const ms = spin(blockMs);
  const { traceId, spanId } = trace.getActiveSpan()?.spanContext() ?? {};
  console.log(`TRUTH ${JSON.stringify({ ms, traceId, spanId })}`);
  response.end('done');
});
server.listen(0, '127.0.0.1', () => {
  get({ port: server.address().port, path: '/block', agent: false }, (response) => {
    response.resume().on('end', () => {
      console.log('served');
      if (!process.argv.includes('--stay')) server.close();
    });
  });
});
