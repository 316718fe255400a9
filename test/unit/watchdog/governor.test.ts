import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Governor } from '../../../src/watchdog/governor.ts';

function governor(budget: number): { governor: Governor; spacing(): number } {
  let spacing = 1;
  return {
    governor: new Governor(budget, (value) => {
      spacing = value;
    }),
    spacing: () => spacing,
  };
}

test('within the budget samples stay dense', () => {
  const { governor: g, spacing } = governor(0.01);
  for (let at = 0; at < 600_000; at += 1000) g.spent(9, at);
  assert.equal(spacing(), 1);
  assert.ok(Math.abs(g.totalMs - 600 * 9) < 1e-6);
});

test('what the start costs is counted, but not compared', () => {
  const { governor: g, spacing } = governor(0.01);
  g.begin(5000);
  g.spent(5000, 14_999);
  assert.equal(spacing(), 1);
  assert.equal(g.totalMs, 5000);
  g.spent(101, 15_000);
  assert.equal(spacing(), 4);
});

test('over the budget they thin out step by step down to none, and come back', () => {
  const { governor: g, spacing } = governor(0.01);
  const seen = new Set<number>();
  let at = 0;
  for (; at < 100_000; at += 1000) {
    g.spent(30, at);
    seen.add(spacing());
  }
  assert.deepEqual([...seen], [1, 4, 16, 0]);
  for (; at < 200_000; at += 1000) g.spent(1, at);
  assert.equal(spacing(), 1);
});

test('one costly moment does not wait for the end of the window', () => {
  const { governor: g, spacing } = governor(0.01);
  g.spent(1, 10_000);
  g.spent(101, 10_500);
  assert.equal(spacing(), 4);
});

test('more than twenty known stalls a minute are sampled thinly, new kinds and the next minute densely', () => {
  const { governor: g, spacing } = governor(0.01);
  for (let i = 0; i < 200; i++) g.stalled(`kind ${i}`, 60_000 + i);
  assert.equal(spacing(), 1, 'new ones');
  for (let i = 0; i < 20; i++) g.stalled('kind 1', 61_000 + i);
  assert.equal(spacing(), 1, 'the twentieth');
  g.stalled('kind 1', 62_000);
  assert.equal(spacing(), 4, 'the twenty-first');
  g.stalled('kind 1', 125_000);
  assert.equal(spacing(), 1);
});
