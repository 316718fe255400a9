import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type EndedReading, ReadingPace } from '../../../src/door/pace.ts';

/** The pause after one reading of 5 ms, the first in a while. */
function pauseMs(reading: Partial<EndedReading> = {}, isOnlyCpu = false): number {
  return new ReadingPace(isOnlyCpu).pauseMs({ at: 1000, tookMs: 5.5, stalledMs: 0, isAsleep: true, ...reading });
}

describe('the pause after a reading', () => {
  test('is four readings long at first, thirty-nine later', () => {
    assert.equal(pauseMs(), 22);
    assert.equal(pauseMs({ stalledMs: 999 }), 22);
    assert.equal(pauseMs({ stalledMs: 1000 }), 214.5);
  });

  test('grows with the stall where the loop computes', () => {
    const computing = (stalledMs: number): number => pauseMs({ stalledMs, isAsleep: false });
    assert.equal(computing(0), 22);
    assert.equal(computing(146), 22);
    assert.equal(computing(200), 30);
    assert.equal(computing(600), 90);
    assert.equal(computing(2000), 132);
  });

  test('is long at once on the only CPU', () => {
    assert.equal(pauseMs({}, true), 214.5);
    assert.equal(pauseMs({ isAsleep: false }, true), 132);
  });

  test('is 20 ms at least', () => {
    assert.equal(pauseMs({ tookMs: 1 }), 20);
    assert.equal(pauseMs({ tookMs: 0.5, stalledMs: 5000 }), 20);
  });

  test('is by what readings cost: one that takes longer may have lost its CPU', () => {
    assert.equal(pauseMs({ tookMs: 100 }), 24, 'as if it had cost 6, the usual 4 and half as much');
    const pace = new ReadingPace(false);
    const pauses = [10, 10, 10].map((tookMs, i) =>
      pace.pauseMs({ at: 1000 + i * 1000, tookMs, stalledMs: 0, isAsleep: true }),
    );
    assert.deepEqual(pauses, [24, 36, 40]);
  });

  test('is long when many short stalls together have spent their part of the time', () => {
    const pace = new ReadingPace(false);
    let at = 1000;
    const pauseAfter = (ms: number): number => {
      at += ms;
      return pace.pauseMs({ at, tookMs: 5, stalledMs: 0, isAsleep: true });
    };
    // 5 ms of reading every 20 ms: a quarter of the time
    let dense = 0;
    while (pauseAfter(20) === 20) dense++;
    assert.equal(dense, 13, 'sixty milliseconds ahead');
    assert.equal(pauseAfter(100), 195, 'what is given is spent');
    assert.equal(pauseAfter(4000), 20, 'and comes back');
    at += 1e6;
    for (let i = 0; i < dense; i++) assert.equal(pauseAfter(20), 20);
    assert.equal(pauseAfter(20), 195, 'but no more than there was at first');
  });
});
