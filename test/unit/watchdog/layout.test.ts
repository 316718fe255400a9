import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Float, Int, sharedState } from '../../../src/watchdog/layout.ts';

test('every slot is a slot of its own, inside the memory', () => {
  const { int, float } = sharedState();
  for (const [slots, view] of [
    [Int, int],
    [Float, float],
  ] as const) {
    const indexes: number[] = Object.values(slots);
    assert.equal(new Set(indexes).size, indexes.length);
    assert.ok(indexes.every((index) => index >= 0 && index < view.length));
  }
});

test('both threads see the same memory', () => {
  const loop = sharedState();
  const thread = sharedState(loop.buffer);
  loop.float[Float.OWN_RUN] = 12.5;
  Atomics.store(thread.int, Int.SAMPLE_SPACING, 4);
  assert.equal(thread.float[Float.OWN_RUN], 12.5);
  assert.equal(loop.int[Int.SAMPLE_SPACING], 4);
});
