import assert from 'node:assert/strict';
import { test } from 'node:test';
import { now } from '../../../src/clock.ts';
import { sharedBlock, ThreadFloat } from '../../../src/watchdog/layout.ts';
import { OwnTime } from '../../../src/watchdog/own-time.ts';
import { ProcFile, schedTimes } from '../../../src/watchdog/thread-state.ts';

const skip = schedTimes(new ProcFile('/proc/thread-self/schedstat')) ? false : 'no schedstat';

function own() {
  const shared = sharedBlock();
  return {
    own: new OwnTime(shared),
    /** For how long it was stopped, and waited for a CPU, in all. */
    held: () => shared.float[ThreadFloat.STOPPED]! + shared.float[ThreadFloat.STARVED]!,
    stopped: () => shared.float[ThreadFloat.STOPPED]!,
  };
}

test('a wake-up that comes late, without having waited for a CPU, is a stop of the process', { skip }, () => {
  const { own: time, held, stopped } = own();
  time.woke(now(), now() - 9);
  assert.equal(held(), 0, 'timers are that late as well');
  time.woke(now(), now() - 400);
  assert.ok(Math.abs(held() - 400) < 5, `${held()}`);
  // this thread may have lost its CPU between the two
  assert.ok(stopped() > 200);
});

test('what it computes itself is neither', { skip }, () => {
  const { own: time, held, stopped } = own();
  time.awake(now());
  const cpu = process.cpuUsage();
  while (process.cpuUsage(cpu).user < 80_000);
  time.awake(now());
  assert.ok(stopped() < 60, `${stopped()} of ${held()}`);
});

test('a long hold is remembered, and one for a reason of its own is not', { skip }, () => {
  const { own: time } = own();
  time.woke(now(), now() - 49);
  assert.equal(time.heldAt, 0);
  const at = now();
  time.woke(at, at - 51);
  assert.equal(time.heldAt, at);
  const later = own().own;
  later.forgive(now() + 100);
  later.awake(now() + 120);
  assert.equal(later.heldAt, 0);
});
