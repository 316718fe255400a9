/**
 * Blocks until the test has seen what it waits for: `node still-blocked.mjs native | busy | nested | hang | short FILE`.
 * FILE is a fifo for `native`, and for the others a file that ends the block when it appears. Prints when the block
 * begins and, at its end, for how long it was.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { trace } from '@opentelemetry/api';
import { busy, inSpan, timed, truth } from './lib.mjs';

const [kind, file] = process.argv.slice(2);
const cell = new Int32Array(new SharedArrayBuffer(4));

function spinUntilReleased() {
  while (!existsSync(file)) busy(5);
}

const blocks = {
  /** Asleep in one native call, which takes no interrupt. */
  native: () => readFileSync(file),
  /** JavaScript alone. */
  busy: spinUntilReleased,
  /** For ever. */
  hang: () => Atomics.wait(cell, 0, 0),
};

async function block(name) {
  const before = process.env.BEFORE ? readFileSync(process.env.BEFORE, 'utf8') : '';
  await inSpan('culprit', async (span) => {
    await sleep(5);
    // what came just before
    writeFileSync('/dev/null', before);
    const { traceId, spanId } = span.spanContext();
    truth({ traceId, spanId, startedAt: Date.now() });
    const ms = timed(blocks[name]);
    truth({ ms });
    console.log('over');
  });
}

/** Longer than a threshold, shorter than the limit. */
async function short() {
  for (let i = 0; i < 3; i++) {
    await inSpan('short', async () => {
      await sleep(5);
      truth({ ms: timed(() => busy(150)), spanId: trace.getActiveSpan().spanContext().spanId });
    });
  }
}

await sleep(400);
console.log('ready');
if (kind === 'short') await short();
else if (kind === 'idle') await sleep(Number(file));
else await block(kind);
await sleep(500);
