// One block of a kind in a span of its name, as `node blocks.mjs KIND`; prints how long the loop stood still.
import { createHash } from 'node:crypto';
import bcrypt from 'bcryptjs';
import { busy, inSpan, sleep, timed, tracer, truth } from './lib.mjs';

const text = `[${Array.from({ length: 120_000 }, (_, i) => `{"i":${i},"s":"x${i}"}`).join(',')}]`;
const bytes = Buffer.alloc(120e6);
let regexLength = 20;

/** Each returns for how long it held the loop, or a promise of it. */
const kinds = {
  // JavaScript that no patch knows
  async hold() {
    await sleep(3);
    return timed(function culprit() {
      busy(120);
    });
  },
  // in a span that begins and ends inside the stall
  synchronous() {
    return timed(() => busy(100));
  },
  async regex() {
    // as many characters as this machine needs to be stuck for a while
    await sleep(3);
    return timed(function culprit() {
      /^(a+)+$/.test(`${'a'.repeat(regexLength)}b`);
    });
  },
  async 'json-parse'() {
    await sleep(3);
    return timed(function culprit() {
      for (let i = 0; i < 4; i++) JSON.parse(text);
    });
  },
  async bcryptjs() {
    await sleep(3);
    return timed(function culprit() {
      bcrypt.hashSync('secret', 10);
    });
  },
  async 'native-hash'() {
    await sleep(3);
    return timed(function culprit() {
      createHash('sha512').update(bytes);
      String(1);
    });
  },
  async wait() {
    await sleep(3);
    return timed(function culprit() {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    });
  },
  // many callbacks, one turn
  async microtasks() {
    await sleep(3);
    const start = performance.now();
    for (let i = 0; i < 200; i++) {
      await null;
      busy(5);
    }
    return performance.now() - start;
  },
  'equal-timers'() {
    return new Promise((resolve) => {
      let left = 60;
      let start = 0;
      const timers = [];
      const due = () => {
        start ||= performance.now();
        busy(15);
        if (--left === 0) resolve(performance.now() - start);
      };
      for (let i = 0; i < 60; i++) timers.push(setTimeout(due, 30));
      // due together, though they were made one after the other
      for (const timer of timers) timer.refresh();
    });
  },
  // many turns, each under the threshold
  'immediate-chain'() {
    return new Promise((resolve) => {
      let left = 40;
      const start = performance.now();
      const next = () => {
        busy(6);
        if (--left > 0) setImmediate(next);
        else resolve(performance.now() - start);
      };
      setImmediate(next);
    });
  },
};

const kind = process.argv[2];
if (kind === 'regex') {
  // V8 compiles a regular expression only once it has been run: the second time counts
  const stuck = () => timed(() => /^(a+)+$/.test(`${'a'.repeat(regexLength)}b`));
  while (Math.min(stuck(), stuck()) < 100) regexLength++;
}
// start-up is over, and the thread watches
await sleep(300);
let ms = 0;
const spanId = await inSpan(kind, async () => {
  ms = await kinds[kind]();
});
truth({ kind, spanId, ms });
await sleep(50);

// a parent that waits for a child span: the child is the culprit, its root is told
if (kind === 'hold') {
  await tracer.startActiveSpan('request', async (root) => {
    const child = await inSpan('child', async () => {
      await sleep(3);
      truth({ kind: 'below', rootId: root.spanContext().spanId, ms: timed(() => busy(80)) });
    });
    truth({ kind: 'child', spanId: child });
    root.end();
  });
}
