import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopFloat, LoopInt, sharedBlock, ThreadFloat, ThreadInt } from '../../../src/watchdog/layout.ts';

test('every slot is a slot of its own, inside the memory', () => {
  const { int, float } = sharedBlock();
  for (const [slots, view] of [
    [ThreadInt, int],
    [LoopInt, int],
    [ThreadFloat, float],
    [LoopFloat, float],
  ] as const) {
    const indexes: number[] = Object.values(slots);
    assert.equal(new Set(indexes).size, indexes.length);
    assert.ok(indexes.every((index) => index >= 0 && index < view.length));
  }
});

test('both threads see the same memory', () => {
  const loop = sharedBlock();
  const thread = sharedBlock(loop.buffer);
  loop.float[LoopFloat.BEAT] = 12.5;
  Atomics.store(thread.int, LoopInt.SAMPLE_SPACING, 4);
  assert.equal(thread.float[LoopFloat.BEAT], 12.5);
  assert.equal(loop.int[LoopInt.SAMPLE_SPACING], 4);
});
