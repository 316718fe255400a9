/** Costs are of CPU time, pauses and stalls of time, all in milliseconds. */

const USUAL_COST_MS = 4;
const MAX_GROWTH = 1.5;

const MIN_PAUSE_MS = 20;
const DENSE_FOR_MS = 1000;
const DENSE_PAUSE = 4;
/** A fortieth of the time, and a twenty-fifth where the loop computes: such stalls are shorter, as are the waits for them. */
const SPARSE_PAUSE = 39;
const SPARSE_PAUSE_COMPUTING = 24;
/** Of the stall so far: who came in a pause is told that much too little. */
const PART_OF_STALL = 0.15;

/** Over all stalls together, as much as in a long one: so much may be spent ahead of it, for stalls that are rare. */
const CREDIT_MS = 60;
const CREDIT_PER_MS = 0.025;

/** A reading of the whole table that has ended. */
export interface EndedReading {
  readonly at: number;
  readonly tookMs: number;
  /** How long ago the stall was noticed. */
  readonly stalledMs: number;
  /** Whether the loop waits, and does not compute. */
  readonly isAsleep: boolean;
}

/**
 * Spaces readings of the whole table, each of which costs 3.5 ms and more of the thread's CPU time: a fifth of that
 * thread's time at first, a fortieth to a twenty-fifth later. While the loop waits that is after a second; while it
 * computes, sooner (the two may share a quota of CPU time), as the stall grows and with it what is precise enough. On the
 * only CPU it is at once: there the thread makes the stall longer. So it is where stalls have used up the credit: each may
 * be short, but they may follow each other for ever.
 */
export class ReadingPace {
  readonly #isOnlyCpu: boolean;
  #costMs = USUAL_COST_MS;
  #creditMs = CREDIT_MS;
  #at = 0;

  constructor(isOnlyCpu: boolean) {
    this.#isOnlyCpu = isOnlyCpu;
  }

  /** For how long to pause after it. */
  pauseMs({ at, tookMs, stalledMs, isAsleep }: EndedReading): number {
    // One that lost its CPU in between tells little about what the next one costs.
    this.#costMs = Math.min(tookMs, this.#costMs * MAX_GROWTH);
    const hasCredit = this.#spend(this.#costMs, at);
    const sparse = Math.max(MIN_PAUSE_MS, this.#costMs * (isAsleep ? SPARSE_PAUSE : SPARSE_PAUSE_COMPUTING));
    if (this.#isOnlyCpu || !hasCredit) return sparse;
    const dense = Math.max(MIN_PAUSE_MS, this.#costMs * DENSE_PAUSE);
    if (isAsleep) return stalledMs < DENSE_FOR_MS ? dense : sparse;
    return Math.min(sparse, Math.max(dense, stalledMs * PART_OF_STALL));
  }

  /** Tells whether there is credit left. */
  #spend(costMs: number, at: number): boolean {
    if (this.#at > 0) this.#creditMs = Math.min(CREDIT_MS, this.#creditMs + (at - this.#at) * CREDIT_PER_MS);
    this.#at = at;
    this.#creditMs -= costMs;
    return this.#creditMs > 0;
  }
}
