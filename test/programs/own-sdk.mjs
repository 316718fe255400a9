/** Sets up its own SDK with the instrumentation, as the README has it; then one block in a span. */
import { NodeSDK } from '@opentelemetry/sdk-node';
import { EventLoopInstrumentation } from 'loopblame';
import { inSpan, sleep, timed, truth } from './lib.mjs';

const sdk = new NodeSDK({ instrumentations: [new EventLoopInstrumentation()] });
sdk.start();
await sleep(200);
let ms;
const spanId = await inSpan('request', () => {
  // asleep, not busy: as long on a machine that has no time for this process
  ms = timed(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150));
});
truth({ ms, spanId });
await sleep(300);
await sdk.shutdown();
