import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { computeTotals } from './app.mjs';

test('innocent', async () => {
  await Promise.resolve();
  assert.equal(computeTotals(2).length, 1);
});

describe('suite', () => {
  test('guilty', async () => {
    await Promise.resolve();
    assert.equal(computeTotals(300).length, 1);
  });
});

test('guilty under fake timers', () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] });
  assert.equal(computeTotals(300).length, 1);
  mock.timers.reset();
});

test('innocent afterwards', () => {
  assert.equal(computeTotals(2).length, 1);
});
