/** What loopblame adds to one call that it patches, to a span, and to a turn of the loop. */
import type { Bench } from './support/bench.ts';
import { startProcess } from './support/process.ts';
import { differences, measurePair, type Pair, spreadOf } from './support/statistics.ts';
import { SPREAD_COLUMNS, spreadCells } from './support/table.ts';

const GOAL = { atMost: 300, tolerance: 50 };
const SQLITE = 'better-sqlite3 get';

type Nanoseconds = Record<string, number | undefined>;

export const call: Bench = async ({ quick, node, say }) => {
  const [pairs, msPerCall] = quick ? [1, 10] : [7, 100];
  const measure = (options: string[], names?: string[]) => async (loopblame: boolean) => {
    const program = await startProcess<string[]>('calls.mjs', {
      loopblame,
      node,
      args: [String(msPerCall), ...options],
    });
    try {
      return await program.ask<Nanoseconds>('nanoseconds', names ?? program.ready);
    } finally {
      await program.stop();
    }
  };
  const all: Pair<Nanoseconds>[] = [];
  const withSpans: Pair<Nanoseconds>[] = [];
  for (let i = 0; i < pairs; i++) {
    say(`call: pair ${i + 1} of ${pairs}`);
    all.push(await measurePair(measure([])));
    withSpans.push(await measurePair(measure(['spans'], [SQLITE])));
  }

  const names = Object.keys(all[0]!.with).filter((name) => all[0]!.with[name] !== undefined);
  const row = (label: string, measured: Pair<Nanoseconds>[], name: string, goal?: typeof GOAL): string[] => {
    const without = spreadOf(measured.map((pair) => pair.without[name]!)).median;
    const added = spreadOf(differences(measured, (ns) => ns[name]!));
    return [label, without.toFixed(0), ...spreadCells(added, 'ns', goal)];
  };
  const isPatched = (name: string): boolean => !/span$|turn/.test(name) || name === 'section in a span';
  const rows = names.map((name) => row(name, all, name, isPatched(name) ? GOAL : undefined));
  if (names.includes(SQLITE)) rows.push(row(`${SQLITE}, in a span of ours`, withSpans, SQLITE));
  return {
    title: 'bench/call.ts: nanoseconds that loopblame adds',
    conditions: [`${pairs} pairs of processes`, `${msPerCall} ms a call in each`, `tolerance ±${GOAL.tolerance} ns`],
    columns: ['', 'without', ...SPREAD_COLUMNS],
    rows,
    notes: names.includes(SQLITE) ? [] : [`${SQLITE} was not measured: it is not compiled for this Node`],
  };
};
