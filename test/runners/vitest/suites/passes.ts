import { expect, test } from 'vitest';
import { computeTotals } from './app.ts';

// together they hold the loop for long, and nothing but the set-up makes turns between them
for (let i = 0; i < 30; i++) {
  test(`short ${i}`, () => {
    expect(computeTotals(5)).toHaveLength(1);
  });
}
