const DENSE_FOR_MS = 1000;
const MIN_PAUSE_MS = 20;
const DENSE_PAUSE = 4;
const SPARSE_PAUSE = 19;
const MAX_GROWTH = 1.5;
/** Over all stalls together, a twentieth too: so much may be spent ahead of it, for stalls that are rare. */
const CREDIT_MS = 100;
const CREDIT_PER_MS = 0.05;

/** What readings may still cost before they have to be sparse. Where each stall is short, none of them would ever be. */
export class ReadingCredit {
  #left = CREDIT_MS;
  #at = 0;

  /** A reading has cost so much; tells whether there is credit left. */
  spend(costMs: number, at: number): boolean {
    if (this.#at > 0) this.#left = Math.min(CREDIT_MS, this.#left + (at - this.#at) * CREDIT_PER_MS);
    this.#at = at;
    this.#left -= costMs;
    return this.#left > 0;
  }
}

/** The pause that keeps readings to a twentieth of the thread's time. */
export const sparsePauseMs = (costMs: number): number => Math.max(MIN_PAUSE_MS, costMs * SPARSE_PAUSE);

/** Of the stall so far: who came in a pause is told that much too little. */
const PART_OF_STALL = 0.15;

/**
 * For how long to pause after a reading of the whole table, which costs 3.5 ms and more of the thread's CPU time: a fifth
 * of that thread's time at first, a twentieth later. While the loop waits that is after a second; while it computes, sooner
 * (the two may share a quota of CPU time), as the stall grows and with it what is precise enough. On the only CPU it is at
 * once: there the thread makes the stall longer.
 *
 * @param stalledMs how long ago the stall was noticed
 * @param isAsleep whether the loop waits, and does not compute
 */
export function readingPauseMs(costMs: number, stalledMs: number, isAsleep: boolean, isOnlyCpu: boolean): number {
  const dense = Math.max(MIN_PAUSE_MS, costMs * DENSE_PAUSE);
  const sparse = sparsePauseMs(costMs);
  if (isOnlyCpu) return sparse;
  if (isAsleep) return stalledMs < DENSE_FOR_MS ? dense : sparse;
  return Math.min(sparse, Math.max(dense, stalledMs * PART_OF_STALL));
}

/** What a reading costs, by the last one: if that lost its CPU in between, it tells little about the next. */
export function steadyCost(knownMs: number, measuredMs: number): number {
  return Math.min(measuredMs, knownMs * MAX_GROWTH);
}
