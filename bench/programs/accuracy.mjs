// Blocks of several kinds, each in a span of its own while others are in flight: `node accuracy.mjs TRIALS`. Tells of each
// trial whose it was, how long it took by its own clock, and who was innocent.
import { createHash } from 'node:crypto';
import { inSpan, sleep, timed, truth } from '../../test/programs/lib.mjs';

const [trials] = process.argv.slice(2).map(Number);
const HOLD_MS = 60;
const BYSTANDERS = 3;

const text = JSON.stringify(Array.from({ length: 5_000 }, (_, i) => ({ i, s: `x${i}` })));
const cell = new Int32Array(new SharedArrayBuffer(4));
const word = (length) => `${'a'.repeat(length)}b`;

/** By kind: the function that holds the loop, with as much to do as takes this machine so long. */
const kinds = {
  'JavaScript that computes': {
    hold: function computes(rounds) {
      let x = 1;
      for (let i = 0; i < rounds; i++) x = (x * 48271) % 2147483647;
      return x;
    },
    amount: 1e5,
    grow: 1.2,
  },
  'a regular expression': {
    hold: function matches(length) {
      return /^(a+)+$/.test(word(length));
    },
    amount: 14,
    grow: (length) => length + 1,
  },
  'JSON.parse, again and again': {
    hold: function parses(times) {
      for (let i = 0; i < times; i++) JSON.parse(text);
    },
    amount: 4,
    grow: 1.3,
  },
  'a native call that computes': {
    hold: function hashes(bytes) {
      createHash('sha512').update(Buffer.alloc(bytes)).digest('hex');
    },
    amount: 1e6,
    grow: 1.3,
  },
  'a native call that waits': {
    hold: function waits(ms) {
      Atomics.wait(cell, 0, 0, ms);
    },
    amount: HOLD_MS,
    cause: 'native_wait',
  },
};

/** V8 compiles a function only once it has been run for a while. */
function calibrate({ hold, amount, grow }) {
  if (!grow) return amount;
  const next = typeof grow === 'function' ? grow : (value) => Math.ceil(value * grow);
  let enough = amount;
  while (Math.min(...[1, 2, 3].map(() => timed(() => hold(enough)))) < HOLD_MS) enough = next(enough);
  return enough;
}

/**
 * The block is the last act of a continuation, and the innocent's continuations are queued behind it. Every other time
 * the culprit's span ends right there, inside the stall.
 */
async function trial(kind, { hold, cause = 'cpu' }, amount, endsInStall) {
  let release;
  const gate = new Promise((resolve) => {
    release = resolve;
  });
  let ms = 0;
  const culprit = inSpan(kind, async () => {
    await gate;
    ms = timed(() => hold(amount));
    if (!endsInStall) await sleep(5);
  });
  const innocent = Array.from({ length: BYSTANDERS }, () =>
    inSpan('bystander', async () => {
      await gate;
      await sleep(1);
    }),
  );
  await sleep(5);
  release();
  truth({ kind, spanId: await culprit, ms, fn: hold.name, cause, innocent: await Promise.all(innocent) });
}

const amounts = new Map(Object.entries(kinds).map(([kind, details]) => [kind, calibrate(details)]));
// what the calibration has cost is forgotten by then, and the thread watches
await sleep(1_000);
for (let i = 0; i < trials; i++) {
  for (const [kind, details] of Object.entries(kinds)) {
    await trial(kind, details, amounts.get(kind), i % 2 === 1);
    await sleep(20);
  }
}
await sleep(500);
