import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownShareMs } from '../../../src/blame/marks.ts';
import type { StallEvidence } from '../../../src/watchdog/verdict.ts';

type OfShare = Parameters<typeof ownShareMs>[0];
const own = (stall: StallEvidence): number =>
  Math.round(ownShareMs({ ms: stall.wall, evidence: undefined } as unknown as OfShare, stall));

test('a share is accused of its own time alone, whatever it collected in that', () => {
  assert.equal(own({ wall: 100, run: 96, queue: 4, gc: 0 }), 96);
  assert.equal(own({ wall: 108, run: 23, queue: 85, gc: 0 }), 23);
  assert.equal(own({ wall: 108, run: 23, queue: 85, gc: 12 }), 23);
  assert.equal(own({ wall: 200, run: 30, queue: 0, gc: 20, stopped: 170 }), 30);
});

test('a collection is its own, with what looks like a queue', () => {
  assert.equal(own({ wall: 100, run: 40, queue: 60, gc: 90 }), 100);
});
