/**
 * An HTTP service that answers one request of its own, holding the loop for 80 ms meanwhile, and ends as it is told:
 *
 *   (nothing)         closes its server, and the process ends by itself
 *   --stay            runs on
 *   --graceful        runs on; SIGTERM and SIGINT make it answer one more request and then call process.exit(7)
 *   --careful         runs on; SIGTERM and SIGINT end it as the signal-exit package does
 *   --more            closes its server; when the loop is empty it answers one more request
 *   --exit            calls process.exit(5) while it holds the loop
 *   --throw           throws
 */
const { trace } = require('@opentelemetry/api');

const HOLD_MS = 80;
const SIGNALS = ['SIGTERM', 'SIGINT'];
const has = (flag) => process.argv.includes(flag);

function hold(ms) {
  const start = performance.now();
  while (performance.now() - start < ms);
  return performance.now() - start;
}

/** @param http what the service uses of node:http, imported or required */
exports.serve = function serve({ createServer, get }) {
  const listen = (then) => {
    const server = createServer((_request, response) => {
      if (has('--exit')) setTimeout(() => process.exit(5), HOLD_MS / 2);
      const ms = hold(HOLD_MS);
      if (has('--exit')) process.exit(5);
      const spanId = trace.getActiveSpan()?.spanContext().spanId;
      console.log(`TRUTH ${JSON.stringify({ ms, spanId })}`);
      response.end();
    });
    const url = () => `http://127.0.0.1:${server.address().port}/`;
    const ask = (done) => get(url(), { agent: false }, (response) => response.resume().on('end', done));
    server.listen(0, '127.0.0.1', () => ask(() => then(server, ask)));
  };

  listen((server, ask) => {
    if (has('--throw')) throw new Error('thrown by the program');
    if (has('--graceful')) for (const signal of SIGNALS) process.once(signal, () => ask(() => setTimeout(exit, 700)));
    if (has('--careful')) for (const signal of SIGNALS) process.on(signal, endWhereAlone);
    if (has('--more')) process.once('beforeExit', () => listen((second) => second.close()));
    if (!['--stay', '--graceful', '--careful'].some(has)) server.close();
    console.log('served');
  });

  function exit() {
    process.exit(7);
  }

  function endWhereAlone(signal) {
    if (process.listenerCount(signal) > 1) return;
    process.off(signal, endWhereAlone);
    process.kill(process.pid, signal);
  }
};

if (require.main === module) exports.serve(require('node:http'));
