import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TurnMeter } from '../../../src/watchdog/turns.ts';

test('a turn is as long as the time between two ends, less what the loop slept', () => {
  const turns = new TurnMeter(20);
  turns.begin(1000, 500);
  assert.equal(turns.end(1100, 590), undefined, '100 ms of which it slept 90');
  assert.deepEqual(turns.end(1200, 640), { from: 1150, to: 1200, beat: 1100 });
});

test('the threshold is the first length that counts', () => {
  const turns = new TurnMeter(20);
  turns.begin(0.5, 0);
  assert.equal(turns.end(20.25, 0), undefined);
  assert.ok(turns.end(40.25, 0));
});

test('nothing before the first turn is one', () => {
  const turns = new TurnMeter(20);
  const { from, to } = turns.current(5000, 0);
  assert.equal(to - from, 0);
  assert.equal(turns.takeWorst(6000, 0), 0);
});

test('the worst turn is told once, the one in progress included', () => {
  const turns = new TurnMeter(20);
  turns.begin(1, 0);
  turns.end(101, 0);
  turns.end(111, 0);
  assert.equal(turns.takeWorst(112, 0), 100);
  assert.equal(turns.takeWorst(150, 0), 39);
  turns.end(151, 0);
  assert.equal(turns.takeWorst(151, 0), 40);
});

test('a healthy hour raises nothing', () => {
  // an hour of a loop at any load: bursts of turns that are all shorter than the threshold, with sleeps between them
  const load = fc.record({ busy: fc.double({ min: 0.01, max: 0.999, noNaN: true }), seed: fc.integer() });
  fc.assert(
    fc.property(load, ({ busy, seed }) => {
      const turns = new TurnMeter(20);
      let random = seed >>> 0;
      const next = (): number => {
        random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
        return random / 2 ** 32;
      };
      let [at, idle, longest] = [1, 0, 0];
      turns.begin(at, idle);
      while (at < 3_600_000) {
        const work = next() ** 3 * 19.9;
        const sleep = work * (1 / busy - 1) * next() * 2;
        at += work + sleep;
        idle += sleep;
        longest = Math.max(longest, work);
        assert.equal(turns.end(at, idle), undefined);
      }
      assert.ok(Math.abs(turns.takeWorst(at, idle) - longest) < 1e-6);
    }),
    { numRuns: 20 },
  );
});
