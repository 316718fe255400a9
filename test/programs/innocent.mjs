// A native call that no patch knows as the last act of a promise continuation, and another request's continuation queued
// right behind it: an interrupt that waited for the native call may be taken when the other one's span is active.
import { createHash } from 'node:crypto';
import { inSpan, sleep, truth } from './lib.mjs';

const bytes = Buffer.alloc(60e6);
const trials = Number(process.argv[2] ?? 100);
await sleep(300);
for (let i = 0; i < trials; i++) {
  let open;
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  const hash = createHash('sha1');
  const culprit = inSpan('culprit', async () => {
    await gate.then(() => hash.update(bytes));
    // it lives on, so that it can be marked
    await sleep(2);
  });
  const innocent = inSpan('innocent', async () => {
    await gate.then(() => {});
    await sleep(2);
  });
  const started = performance.now();
  setTimeout(open, 3);
  const [culpritId, innocentId] = await Promise.all([culprit, innocent]);
  truth({ culpritId, innocentId, atMostMs: performance.now() - started });
  await sleep(15);
}
