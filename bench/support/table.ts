import type { Goal, Spread, Verdict } from './statistics.ts';
import { verdictOn } from './statistics.ts';

/** What a bench found: a table, and what has to be known to read it. */
export interface Table {
  readonly title: string;
  /** Node version, connections, tolerance: what the figures depend on. */
  readonly conditions: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the figures do not say by themselves. */
  readonly notes?: readonly string[];
}

/** The first column is text and the others are figures. */
export function format({ title, conditions, columns, rows, notes = [] }: Table): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const text = lines.map((line) =>
    widths.map((width, i) => (i === 0 ? (line[i] ?? '').padEnd(width) : (line[i] ?? '').padStart(width))).join('  '),
  );
  const rule = '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  const [head, ...body] = text;
  return ['', title, conditions.join(' · '), rule, head, rule, ...body, rule, ...notes].join('\n');
}

const DIGITS: Readonly<Record<string, number>> = { '': 3, ns: 0, ms: 1, MB: 1, '%': 2, µs: 1 };

/** `goal`, the figure with its quartiles and the interval of its median, and whether it holds. */
export const SPREAD_COLUMNS = ['pairs', 'q1', 'median', 'q3', '95 % of medians', 'goal', 'verdict'] as const;

export function spreadCells(spread: Spread, unit: string, goal?: Goal): string[] {
  const digits = DIGITS[unit] ?? 2;
  const shown = (value: number): string => value.toFixed(digits);
  return [
    String(spread.count),
    shown(spread.q1),
    shown(spread.median),
    shown(spread.q3),
    `${shown(spread.low)} … ${shown(spread.high)}`,
    goal ? shownGoal(goal, unit) : '',
    goal ? shownVerdict(verdictOn(spread, goal), goal, spread, shown) : '',
  ];
}

function shownGoal({ atMost, atLeast }: Goal, unit: string): string {
  const suffix = unit ? ` ${unit}` : '';
  return atMost === undefined ? `≥ ${atLeast}${suffix}` : `≤ ${atMost}${suffix}`;
}

function shownVerdict(
  verdict: Verdict,
  { atMost, atLeast, tolerance }: Goal,
  spread: Spread,
  shown: (v: number) => string,
) {
  if (verdict === 'holds') return 'holds';
  if (verdict === 'too noisy') return `too noisy: not within ${tolerance}`;
  return `missed by ${shown(atMost === undefined ? atLeast! - spread.median : spread.median - atMost)}`;
}
