import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseThrottled } from '../../../src/watchdog/cgroup.ts';

test('both versions of cpu.stat are read, in milliseconds', () => {
  assert.equal(parseThrottled('usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 250500\n'), 250.5);
  assert.equal(parseThrottled('nr_periods 10\nnr_throttled 3\nthrottled_time 81000000\n'), 81);
});

test('a group without a quota tells nothing', () => {
  assert.equal(parseThrottled('usage_usec 5\nuser_usec 3\nsystem_usec 2\n'), -1);
  assert.equal(parseThrottled(''), -1);
});
