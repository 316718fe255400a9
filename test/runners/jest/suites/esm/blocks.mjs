import { expect, jest, test } from '@jest/globals';
import { computeTotals } from './app.mjs';

test('innocent', async () => {
  await Promise.resolve();
  expect(computeTotals(2)).toHaveLength(1);
});

test('guilty', async () => {
  await Promise.resolve();
  expect(computeTotals(300)).toHaveLength(1);
});

test('guilty under fake timers', () => {
  jest.useFakeTimers();
  expect(computeTotals(300)).toHaveLength(1);
  jest.useRealTimers();
});

test('innocent afterwards', () => {
  expect(computeTotals(2)).toHaveLength(1);
});
