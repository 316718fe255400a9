/** What a stall costs, by how many spans are in flight while it lasts: loopblame tells each of them. */
import type { Bench } from './support/bench.ts';
import { startProcess } from './support/process.ts';
import { differences, type Goal, measurePair, spreadOf } from './support/statistics.ts';
import { SPREAD_COLUMNS, spreadCells } from './support/table.ts';

const IN_FLIGHT = [10, 100, 1_000, 10_000] as const;
/** A microsecond a victim, and a fixed part for samples and the settlement. */
const goalMs = (spans: number): Goal => ({ atMost: 3 + spans / 1e3, tolerance: 1 + spans / 5e3 });

export const stall: Bench = async ({ quick, node, say }) => {
  const [pairCount, stalls] = quick ? [2, 2] : [8, 10];
  const rows: string[][] = [];
  for (const spans of IN_FLIGHT) {
    const pairs: { with: number; without: number }[] = [];
    for (let i = 0; i < pairCount; i++) {
      pairs.push(
        await measurePair(async (loopblame) => {
          const process = await startProcess<true>('stall.mjs', { loopblame, node });
          try {
            return await process.ask<number>('extraMsPerStall', { spans, stalls });
          } finally {
            await process.stop();
          }
        }),
      );
      say(`stall: ${spans} spans, pair ${i + 1} of ${pairCount}`);
    }
    const without = spreadOf(pairs.map((pair) => pair.without)).median.toFixed(1);
    const difference = spreadOf(differences(pairs, (ms) => ms));
    rows.push([`${spans} spans in flight`, without, ...spreadCells(difference, 'ms', goalMs(spans))]);
  }
  return {
    title:
      "bench/stall.ts: the loop thread's CPU time of a stall of 50 ms, beyond the same work in 10 parts, with − without loopblame",
    conditions: [`${stalls} stalls a process, after ten to warm up`, 'tolerance ±(1 ms + 0.2 µs a span)'],
    columns: ['ms a stall', 'without', ...SPREAD_COLUMNS],
    rows,
    notes: ['The spans in flight end after the stalls, which is not counted.'],
  };
};
