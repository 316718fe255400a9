import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Unread } from '../../../src/door/unread.ts';
import { type Arrival, batchOf, waitInBatch, waitOf } from '../../../src/door/wait.ts';

const THRESHOLD = 20;
const unread = (facts: Partial<Unread> = {}): Unread => ({
  seenFrom: 1098,
  seenBy: 1100,
  anchor: 1050,
  grewBy: 1100,
  bytes: 80,
  ...facts,
});
const arrival = (facts: Partial<Arrival> = {}): Arrival => ({
  at: 1500,
  unread: unread(),
  readBefore: 0,
  sleptUntil: 0,
  lapStart: undefined,
  ...facts,
});

describe('a wait', () => {
  test('is from when it was first seen, at most from when it was not yet there', () => {
    assert.deepEqual(waitOf(arrival(), THRESHOLD), { minMs: 400, maxMs: 450 });
  });

  test('is from when this turn began to read, where that was earlier', () => {
    assert.deepEqual(waitOf(arrival({ lapStart: 1080 }), THRESHOLD), { minMs: 420, maxMs: 450 });
    assert.deepEqual(waitOf(arrival({ lapStart: 1200 }), THRESHOLD), { minMs: 400, maxMs: 450 });
    assert.deepEqual(
      waitOf(arrival({ lapStart: 1040 }), THRESHOLD),
      { minMs: 460, maxMs: 460 },
      'never under its minimum',
    );
  });

  test('without having been seen, is what makes a stall of this turn', () => {
    assert.deepEqual(waitOf(arrival({ unread: undefined, lapStart: 1480 }), THRESHOLD), {
      minMs: 20,
      maxMs: undefined,
    });
    assert.equal(waitOf(arrival({ unread: undefined, lapStart: 1480.5 }), THRESHOLD), undefined);
    assert.equal(waitOf(arrival({ unread: undefined }), THRESHOLD), undefined);
  });

  test('has no maximum where nothing says when it can have come', () => {
    assert.deepEqual(waitOf(arrival({ unread: unread({ anchor: 0 }) }), THRESHOLD), { minMs: 400, maxMs: undefined });
  });

  test('began after the loop had slept, unless it was seen before that', () => {
    assert.deepEqual(waitOf(arrival({ sleptUntil: 1080 }), THRESHOLD), { minMs: 400, maxMs: 420 });
    assert.deepEqual(waitOf(arrival({ sleptUntil: 1300 }), THRESHOLD), { minMs: 400, maxMs: 450 });
    const unknown = unread({ anchor: 0 });
    assert.deepEqual(waitOf(arrival({ unread: unknown, sleptUntil: 1080 }), THRESHOLD), { minMs: 400, maxMs: 420 });
  });

  test('of bytes that were seen before the last request was read is none', () => {
    assert.equal(waitOf(arrival({ readBefore: 1098 }), THRESHOLD), undefined);
    assert.deepEqual(waitOf(arrival({ readBefore: 1097.9 }), THRESHOLD)?.minMs, 400);
    // seen while it was read: they may have been its own
    assert.equal(waitOf(arrival({ readBefore: 1099 }), THRESHOLD), undefined);
    assert.deepEqual(waitOf(arrival({ readBefore: 1099, lapStart: 1450 }), THRESHOLD), { minMs: 50, maxMs: undefined });
  });
});

describe('requests in one read', () => {
  const grown = unread({ grewBy: 1400, bytes: 160 });

  test('have all come by when their bytes were last seen to grow', () => {
    const batch = batchOf(arrival({ unread: grown }), 160);
    assert.deepEqual(batch && waitInBatch(1600, batch), { minMs: 200, maxMs: 550 });
  });

  test('are unknown where more was read than seen: the last may have come at any time', () => {
    assert.equal(batchOf(arrival({ unread: grown }), 161), undefined);
    assert.equal(batchOf(arrival({ unread: undefined }), 160), undefined);
    assert.equal(batchOf(arrival({ unread: grown, readBefore: 1200 }), 160), undefined);
  });
});
