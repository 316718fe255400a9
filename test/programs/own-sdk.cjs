/** The same from CommonJS. */
const { trace } = require('@opentelemetry/api');
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { EventLoopInstrumentation } = require('loopblame');

const sdk = new NodeSDK({ instrumentations: [new EventLoopInstrumentation()] });
sdk.start();
setTimeout(() => {
  trace.getTracer('program').startActiveSpan('request', (span) => {
    const start = performance.now();
    // asleep, not busy: as long on a machine that has no time for this process
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    const ms = performance.now() - start;
    span.end();
    console.log(`TRUTH ${JSON.stringify({ ms, spanId: span.spanContext().spanId })}`);
  });
  setTimeout(() => sdk.shutdown(), 300);
}, 200);
