import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownFraction, spanCause, verdict, withoutThread } from '../../../src/watchdog/verdict.ts';

test('the largest part of the window names the cause', () => {
  assert.equal(verdict({ wall: 100, run: 90, queue: 5 }), 'cpu');
  assert.equal(verdict({ wall: 100, run: 5, queue: 5 }), 'native_wait');
  assert.equal(verdict({ wall: 100, run: 20, queue: 70 }), 'starved');
});

test('a part under 40 % of the window names nothing', () => {
  assert.equal(verdict({ wall: 100, run: 40, queue: 30 }), 'cpu');
  assert.equal(verdict({ wall: 100, run: 39, queue: 30 }), 'unknown');
  assert.equal(verdict({ wall: 100, run: 56, queue: 0 }), 'cpu');
  assert.equal(verdict({ wall: 10, run: 3, queue: 0 }), 'unknown', 'a tick may hide 4 ms of CPU time');
});

test('garbage collection goes before starved: its helper threads read as queue wait', () => {
  assert.equal(verdict({ wall: 100, run: 30, queue: 65, gc: 50 }), 'gc');
  assert.equal(verdict({ wall: 100, run: 30, queue: 65, gc: 49 }), 'starved');
});

test('a stopped process goes before sleep', () => {
  assert.equal(verdict({ wall: 100, run: 5, queue: 0, stopped: 40 }), 'suspended');
  assert.equal(verdict({ wall: 100, run: 5, queue: 0, stopped: 39 }), 'native_wait');
});

test('without readings the answer is unknown, but for what needs none', () => {
  assert.equal(verdict({ wall: 100 }), 'unknown');
  assert.equal(verdict({ wall: 0, run: 0 }), 'unknown');
  assert.equal(verdict({ wall: 100, gc: 80 }), 'gc');
  assert.equal(verdict({ wall: 100, stopped: 80 }), 'suspended');
});

test('own time leaves out the wait for a CPU and the stop of the process, but not under garbage collection', () => {
  assert.equal(ownFraction({ wall: 100, run: 25, queue: 75 }, 'starved'), 0.25);
  assert.equal(ownFraction({ wall: 100, run: 10, queue: 0, stopped: 90 }, 'suspended'), 0.1);
  assert.equal(ownFraction({ wall: 100, run: 30, queue: 65, gc: 60 }, 'gc'), 1);
  assert.equal(ownFraction({ wall: 100 }, 'unknown'), 1);
  assert.equal(ownFraction({ wall: 100, run: 80, queue: 0 }, 'cpu'), 1);
  assert.equal(
    ownFraction({ wall: 100, run: 20, queue: 50 }, 'starved'),
    0.4,
    '20 run and 20 asleep: short of CPUs, a tenth may be hidden',
  );
});

test('a span is accused of its own time alone', () => {
  assert.equal(spanCause({ wall: 100, run: 30, queue: 70 }), 'cpu');
  assert.equal(spanCause({ wall: 100, run: 0, queue: 60 }), 'native_wait');
  assert.equal(spanCause({ wall: 100, run: 0, queue: 0, stopped: 100 }), 'unknown');
});

test('a sleep that may be a collection is unknown until collections are reported', () => {
  const asleep = { wall: 100, run: 5, queue: 0, sleepsIn: 'thread' } as const;
  assert.equal(verdict(asleep), 'unknown');
  assert.equal(verdict({ ...asleep, gc: 0 }), 'native_wait');
  assert.equal(verdict({ ...asleep, gc: 90 }), 'gc');
  assert.equal(verdict({ wall: 100, run: 5, queue: 0 }), 'native_wait');
});

test('a sleep while other threads starve is theirs, but for a call that none of them answers', () => {
  const starved = { wall: 150, run: 5, queue: 5, threadsStarved: 120, gc: 0 };
  assert.equal(verdict({ ...starved, sleepsIn: 'thread' }), 'unknown');
  assert.equal(verdict(starved), 'unknown');
  assert.equal(verdict({ ...starved, sleepsIn: 'call' }), 'native_wait');
  assert.ok(ownFraction({ ...starved, sleepsIn: 'call' }, 'native_wait') > 0.8);
});

test('while the thread is late, CPU time alone is certain', () => {
  const certain = withoutThread({ wall: 100, run: 60, queue: 0, stopped: 0 });
  assert.equal(certain && verdict(certain), 'cpu');
  assert.equal(certain && ownFraction(certain, 'cpu'), 0.6, 'the rest may have been a stop of the process');
  assert.equal(withoutThread({ wall: 100, run: 5, queue: 0, sleepsIn: 'call' }), undefined);
  assert.equal(withoutThread({ wall: 100, run: 30, queue: 60 }), undefined);
  assert.equal(withoutThread({ wall: 100 }), undefined);
});
