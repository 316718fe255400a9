/** Milliseconds between two samples of a loop that has been stuck for so long: dense at first, where they tell the most. */
export function sampleIntervalMs(stuckMs: number): number {
  if (stuckMs < 100) return 5;
  return stuckMs < 1000 ? 20 : 100;
}
