import { medianSorted, quantileSorted } from 'simple-statistics';

/** What repeated measurements say: quartiles, and where the true median lies. */
export interface Spread {
  readonly count: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  /** The true median lies between these two, 95 times of 100; whatever the measurements' distribution is. */
  readonly low: number;
  readonly high: number;
}

/** What a measurement has to reach, and how sure the run has to be about it. */
export interface Goal {
  readonly atMost?: number;
  readonly atLeast?: number;
  /** A run that cannot place the median within so much to either side of it is too noisy to tell. */
  readonly tolerance: number;
}

export type Verdict = 'holds' | 'missed' | 'too noisy';

/** @throws {RangeError} without a single measurement */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  const count = sorted.length;
  // How many of them lie under the true median is binomial: so many may, at either end.
  const outside = Math.max(0, Math.floor((count - 1.96 * Math.sqrt(count)) / 2));
  return {
    count,
    q1: quantileSorted(sorted, 0.25),
    median: medianSorted(sorted),
    q3: quantileSorted(sorted, 0.75),
    low: sorted[outside]!,
    high: sorted[count - 1 - outside]!,
  };
}

/** Sure where the whole interval is on one side of the goal; else by the median, if the interval is narrow enough. */
export function verdictOn({ median, low, high }: Spread, { atMost, atLeast, tolerance }: Goal): Verdict {
  const reaches = (value: number): boolean => value <= (atMost ?? value) && value >= (atLeast ?? value);
  if (reaches(low) && reaches(high)) return 'holds';
  const isMissed = high < (atLeast ?? Number.NEGATIVE_INFINITY) || low > (atMost ?? Number.POSITIVE_INFINITY);
  if (isMissed) return 'missed';
  if (median - low > tolerance || high - median > tolerance) return 'too noisy';
  return reaches(median) ? 'holds' : 'missed';
}

export interface Pair<T> {
  readonly without: T;
  readonly with: T;
}

/** One measurement without and one with loopblame, one right after the other, either first. */
export async function measurePair<T>(measure: (loopblame: boolean) => Promise<T>): Promise<Pair<T>> {
  const withFirst = Math.random() < 0.5;
  const first = await measure(withFirst);
  const second = await measure(!withFirst);
  return withFirst ? { with: first, without: second } : { without: first, with: second };
}

/** With / without, of each pair. */
export function ratios<T>(pairs: readonly Pair<T>[], value: (measured: T) => number): number[] {
  return pairs.map((pair) => value(pair.with) / value(pair.without));
}

/** With − without, of each pair. */
export function differences<T>(pairs: readonly Pair<T>[], value: (measured: T) => number): number[] {
  return pairs.map((pair) => value(pair.with) - value(pair.without));
}
