/**
 * An HTTP service that answers one request of its own, holding the loop meanwhile, and then does as it is told:
 *
 *   (nothing)    closes its server, so that the process ends by itself
 *   --stay       serves on
 *   --graceful   serves on; a signal makes it answer one more request and call process.exit(7)
 *   --careful    serves on; a signal ends it where no other listener is there, as the signal-exit package does it
 *   --more       closes its server, and answers one more request when the loop is empty
 *   --exit       calls process.exit(5) right after it has held the loop
 *   --throw      throws
 */
const { trace } = require('@opentelemetry/api');

const SIGNALS = ['SIGTERM', 'SIGINT'];
const has = (flag) => process.argv.includes(flag);
const cell = new Int32Array(new SharedArrayBuffer(4));

/** Asleep, not busy: as long on a machine that has no time for this process. */
function hold() {
  const start = performance.now();
  Atomics.wait(cell, 0, 0, 150);
  return performance.now() - start;
}

/** @param http what it uses of node:http */
exports.serve = function serve({ createServer, get }, onClosed = () => {}) {
  function listen(then) {
    const server = createServer((_request, response) => {
      const ms = hold();
      if (has('--exit')) process.exit(5);
      const { spanId } = trace.getActiveSpan()?.spanContext() ?? {};
      console.log(`TRUTH ${JSON.stringify({ pid: process.pid, ms, spanId })}`);
      response.end();
    });
    const ask = (done) =>
      get({ port: server.address().port, agent: false }, (response) => response.resume().on('end', done));
    // start-up is over by then, and the thread watches
    server.listen(0, '127.0.0.1', () => setTimeout(() => ask(() => then(server, ask)), 200));
  }

  listen((server, ask) => {
    if (has('--throw')) throw new Error('thrown by the program');
    for (const signal of SIGNALS) {
      if (has('--graceful')) process.once(signal, () => ask(() => setTimeout(() => process.exit(7), 700)));
      if (has('--careful')) process.on(signal, endWhereAlone);
    }
    if (has('--more')) process.once('beforeExit', () => listen((second) => second.close()));
    if (!['--stay', '--graceful', '--careful'].some(has)) server.close(onClosed);
    console.log('served');
  });

  function endWhereAlone(signal) {
    if (process.listenerCount(signal) > 1) return;
    process.off(signal, endWhereAlone);
    process.kill(process.pid, signal);
  }
};

if (require.main === module) exports.serve(require('node:http'));
