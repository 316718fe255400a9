// What is nobody's fault, or the collector's: `node causes.mjs gc | starved | suspended`.
import { inSpan, sleep, timed, truth } from './lib.mjs';

/** So many rounds of arithmetic. */
function work(rounds) {
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (x * 48271) % 2147483647;
  return x;
}

const kinds = {
  /** Full collections of a heap that is large enough for them to take a while. */
  async gc() {
    const heap = Array.from({ length: 1_500_000 }, (_, i) => ({ i, next: { s: `${i}` } }));
    await sleep(300);
    // it lives on for a while: collections are reported some turns after they were
    const spanId = await inSpan('gc', async () => {
      await sleep(3);
      truth({
        ms: timed(() => {
          for (let i = 0; i < 3; i++) globalThis.gc();
        }),
        kept: heap.length,
      });
      await sleep(100);
    });
    truth({ spanId });
  },

  /** Eight milliseconds of work, again and again; the test takes the CPU away meanwhile. */
  async starved() {
    let rounds = 1e5;
    while (
      Math.min(
        timed(() => work(rounds)),
        timed(() => work(rounds)),
      ) < 12
    )
      rounds *= 1.2;
    await sleep(300);
    console.log('ready');
    const alive = setInterval(() => {}, 1000);
    await new Promise((resolve) => process.once('SIGUSR2', resolve));
    clearInterval(alive);
    const spans = [];
    for (let i = 0; i < 40; i++) {
      let ms = 0;
      const spanId = await inSpan('starved', async () => {
        await sleep(3);
        ms = timed(() => work(rounds));
        await sleep(3);
      });
      spans.push({ spanId, ms });
    }
    truth({ spans });
  },

  /** Five milliseconds of work at a time; the test stops the process meanwhile. */
  async suspended() {
    let rounds = 1e5;
    while (timed(() => work(rounds)) < 5) rounds *= 1.2;
    await sleep(300);
    console.log('ready');
    const spans = [];
    const end = performance.now() + 2500;
    let last = performance.now();
    let worst = 0;
    while (performance.now() < end) {
      const spanId = await inSpan('suspended', async () => {
        await sleep(1);
        work(rounds);
        await sleep(1);
      });
      spans.push(spanId);
      worst = Math.max(worst, performance.now() - last);
      last = performance.now();
    }
    truth({ spans, worst });
  },
};

await kinds[process.argv[2]]();
await sleep(500);
