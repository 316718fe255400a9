import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StallShares } from '../../../src/blame/shares.ts';
import { findingOf } from '../../../src/testing/finding.ts';
import type { StallEvidence } from '../../../src/watchdog/verdict.ts';

/** A turn of so many ms of which nobody was seen. */
function hold(from: number, ms: number, evidence: Omit<StallEvidence, 'wall'>) {
  const shares: StallShares<never> = { shares: [], unknownMs: ms, kind: 'hold' };
  return { from, to: from + ms, evidence: { wall: ms, ...evidence }, shares };
}

const held = (...args: Parameters<typeof hold>) => findingOf([hold(...args)], 0, 10_000, 50);

test('fails over the limit, and at the limit not', () => {
  assert.equal(held(0, 50, { run: 50 }).error, undefined);
  assert.equal(Math.round(held(0, 51, { run: 51 }).error?.heldMs ?? 0), 51);
  // where the system does not tell why, the time counts
  assert.equal(held(0, 51, {}).error?.reason, 'unknown');
});

test('time without a CPU, stopped or collecting does not count, and is told of', () => {
  for (const [evidence, remark] of [
    [{ run: 40, queue: 160 }, /160 ms waiting for a CPU/],
    [{ run: 40, stopped: 160 }, /160 ms stopped with its process/],
    [{ run: 200, gc: 160 }, /160 ms garbage collection/],
  ] as const) {
    const { error, remarks } = held(0, 200, evidence);
    assert.equal(error, undefined);
    assert.equal(remarks.length, 1);
    assert.match(remarks[0]!, remark);
  }
  const { error } = held(0, 300, { run: 100, queue: 200 });
  assert.match(error?.message ?? '', /held for 100 ms .*\n.*stood still for 300 ms in all.*200 ms waiting for a CPU/);
});

test('only what lies in the window counts', () => {
  const early = hold(0, 100, { run: 100 });
  assert.equal(findingOf([early], 50, 1_000, 50).error, undefined);
  assert.equal(Math.round(findingOf([early], 40, 1_000, 50).error?.heldMs ?? 0), 60);
});

test('of several, the longest is told', () => {
  const holds = [hold(0, 60, { run: 60 }), hold(100, 90, { run: 90 }), hold(200, 70, { run: 70 })];
  assert.match(findingOf(holds, 0, 1_000, 50).error?.message ?? '', /held for 90 ms .*\n.*the longest of 3/);
});
