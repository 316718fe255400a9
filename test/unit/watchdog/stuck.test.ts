import assert from 'node:assert/strict';
import { test } from 'node:test';
import { now } from '../../../src/clock.ts';
import { CgroupThrottling } from '../../../src/watchdog/cgroup.ts';
import { sharedBlock, ThreadFloat } from '../../../src/watchdog/layout.ts';
import { StuckMeter } from '../../../src/watchdog/stuck.ts';
import { ProcFile, schedTimes } from '../../../src/watchdog/thread-state.ts';

const nothing = '/proc/self/none';

function meter(sched = nothing): { stuck: StuckMeter; stop(ms: number): void } {
  const thread = sharedBlock();
  return {
    stuck: new StuckMeter(sharedBlock(), thread, new ProcFile(sched), new CgroupThrottling()),
    /** The thread finds that the process was stopped for so long. */
    stop(ms) {
      thread.float[ThreadFloat.STOPPED]! += ms;
    },
  };
}

test('the time that the process was stopped is none that the loop was stuck for', () => {
  const { stuck, stop } = meter();
  stuck.beat();
  stuck.begin(1000);
  stuck.looked();
  assert.equal(stuck.stuckMs(1500), 500);
  stop(300);
  assert.equal(stuck.stuckMs(2000), 700);
  stuck.looked();
  assert.equal(stuck.stuckMs(2100), 800);
});

test('a stop in the same sleep of the thread as the last beat may have come after it', () => {
  const { stuck, stop } = meter();
  stuck.looked();
  stop(1000);
  stuck.beat();
  stuck.begin(5000);
  assert.equal(stuck.stuckMs(6050), 50);
  // one that came before it makes the stall look shorter than it is, and never negative
  assert.equal(stuck.stuckMs(5500), 0);
});

test('a stop before the loop was seen asleep, or before the look that saw it turn, is forgotten', () => {
  const { stuck, stop } = meter();
  stop(1000);
  stuck.beat();
  stuck.rest();
  stuck.begin(5000);
  assert.equal(stuck.stuckMs(5200), 200);
  stuck.looked();
  stuck.beat();
  stuck.begin(6000);
  assert.equal(stuck.stuckMs(6200), 200);
});

test('without the thread’s state there is no evidence but the time', () => {
  const { stuck } = meter();
  const since = now() - 100;
  stuck.begin(since);
  const evidence = stuck.evidence();
  assert.deepEqual(Object.keys(evidence), ['wall']);
  assert.ok(evidence.wall >= 100);
});

const sched = '/proc/thread-self/schedstat';
const skip = schedTimes(new ProcFile(sched)) ? false : 'no schedstat';

test('evidence is what has passed since the loop was found to be stuck', { skip }, () => {
  const { stuck, stop } = meter(sched);
  for (const end = performance.now() + 60; performance.now() < end; );
  stuck.begin(now() - 60);
  for (const end = performance.now() + 60; performance.now() < end; );
  stop(7);
  const evidence = stuck.evidence();
  assert.ok(evidence.wall >= 60);
  assert.ok(evidence.run! + evidence.queue! <= evidence.wall + 10, 'nothing of before');
  assert.equal(evidence.stopped, 7);
  assert.equal(evidence.gc, 0, 'a loop that waits for no thread waits for no collection');
});
