import { expect, test } from '@jest/globals';
import { computeTotals } from './app.mjs';

// together they hold the loop for long, and nothing but the set-up makes turns between them
for (let i = 0; i < 30; i++) {
  test(`short ${i}`, () => {
    expect(computeTotals(5)).toHaveLength(1);
  });
}
