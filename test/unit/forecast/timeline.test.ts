import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Timeline } from '../../../src/forecast/timeline.ts';

test('how much of a time was held', () => {
  const held = new Timeline([
    { fromMs: 10, toMs: 20 },
    { fromMs: 30, toMs: 35 },
  ]);
  for (const [from, to, ms] of [
    [0, 10, 0],
    [0, 15, 5],
    [10, 20, 10],
    [12, 18, 6],
    [15, 32, 7],
    [20, 30, 0],
    [0, 99, 15],
    [18, 12, 0],
  ] as const) {
    assert.equal(held.within(from, to), ms, `${from} to ${to}`);
  }
});

test('a gap that is shorter is filled, and one as long is not', () => {
  const held = new Timeline([
    { fromMs: 10, toMs: 20 },
    { fromMs: 39, toMs: 50 },
    { fromMs: 70, toMs: 80 },
  ]).filled(20);
  assert.equal(held.within(0, 99), 40 + 10);
  assert.equal(held.within(20, 39), 19);
  assert.equal(held.within(50, 70), 0);
});

test('it is what adding up the overlaps gives', () => {
  const parts = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 50 })));
  const window = fc.tuple(fc.integer({ min: -10, max: 500 }), fc.integer({ min: 0, max: 500 }));
  fc.assert(
    fc.property(parts, window, (list, [from, length]) => {
      let at = 0;
      const intervals = list.map(([gap, held]) => {
        const fromMs = at + gap;
        at = fromMs + held;
        return { fromMs, toMs: at };
      });
      const to = from + length;
      const overlaps = intervals.map(({ fromMs, toMs }) => Math.max(0, Math.min(to, toMs) - Math.max(from, fromMs)));
      assert.equal(
        new Timeline(intervals).within(from, to),
        overlaps.reduce((sum, ms) => sum + ms, 0),
      );
    }),
  );
});
