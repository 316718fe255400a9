import { countWhile } from './collections.ts';

export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When a loop was held, for questions of the form "how much of this time". */
export class Timeline {
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  /** How much was held before each interval. */
  readonly #before: number[] = [];

  /** @param intervals in the order of their starts, none of them overlapping another */
  constructor(intervals: Iterable<Interval>) {
    let sum = 0;
    for (const { fromMs, toMs } of intervals) {
      this.#from.push(fromMs);
      this.#to.push(toMs);
      this.#before.push(sum);
      sum += toMs - fromMs;
    }
  }

  /** How much of the time between the two was held, in milliseconds. */
  within(fromMs: number, toMs: number): number {
    return toMs <= fromMs ? 0 : this.#until(toMs) - this.#until(fromMs);
  }

  /** The same with the gaps that are shorter: what the loop did between two holds was no time to go on in. */
  filled(gapMs: number): Timeline {
    const joined: { fromMs: number; toMs: number }[] = [];
    for (const [i, fromMs] of this.#from.entries()) {
      const last = joined.at(-1);
      if (last && fromMs - last.toMs < gapMs) last.toMs = this.#to[i]!;
      else joined.push({ fromMs, toMs: this.#to[i]! });
    }
    return new Timeline(joined);
  }

  #until(atMs: number): number {
    const last = countWhile(this.#from, (fromMs) => fromMs < atMs) - 1;
    return last < 0 ? 0 : this.#before[last]! + Math.min(atMs, this.#to[last]!) - this.#from[last]!;
  }
}
