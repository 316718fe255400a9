import { expect, test, vi } from 'vitest';
import { computeTotals } from './app.ts';

test('innocent', async () => {
  await Promise.resolve();
  expect(computeTotals(2)).toHaveLength(1);
});

test('guilty', async () => {
  await Promise.resolve();
  expect(computeTotals(300)).toHaveLength(1);
});

test('guilty under fake timers', () => {
  vi.useFakeTimers();
  expect(computeTotals(300)).toHaveLength(1);
  vi.useRealTimers();
});

test('innocent afterwards', () => {
  expect(computeTotals(2)).toHaveLength(1);
});
