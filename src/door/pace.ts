const DENSE_FOR_MS = 1000;
const MIN_PAUSE_MS = 20;
const DENSE_PAUSE = 4;
const SPARSE_PAUSE = 19;
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
  const sparse = Math.max(MIN_PAUSE_MS, costMs * SPARSE_PAUSE);
  if (isOnlyCpu) return sparse;
  if (isAsleep) return stalledMs < DENSE_FOR_MS ? dense : sparse;
  return Math.min(sparse, Math.max(dense, stalledMs * PART_OF_STALL));
}
