import { countWhile, groupBy } from './collections.ts';
import type { Hold, Request } from './requests.ts';

/**
 * Which part of the other requests that the marks tell of is there, 0 to 1; `undefined` where they tell of none. Where traces
 * are sampled it is small: the marks count whoever was under way, exported or not.
 */
export function seenRatioOf(holds: readonly Hold[], requests: readonly Request[]): number | undefined {
  const starts = sortedByLoop(requests, ({ startMs }) => startMs);
  const ends = sortedByLoop(requests, ({ endMs }) => endMs);
  let told = 0;
  let seen = 0;
  for (const { loop, fromMs, victims, request } of holds) {
    if (victims === undefined) continue;
    const open = countUpTo(starts.get(loop), fromMs) - countUpTo(ends.get(loop), fromMs);
    const own = request && request.startMs <= fromMs && request.endMs > fromMs ? 1 : 0;
    told += victims;
    seen += Math.min(victims, open - own);
  }
  return told === 0 ? undefined : seen / told;
}

function sortedByLoop(requests: readonly Request[], timeOf: (request: Request) => number): Map<string, number[]> {
  const groups = [...groupBy(requests, ({ loop }) => loop)];
  return new Map(groups.map(([loop, ofLoop]) => [loop, ofLoop.map(timeOf).sort((a, b) => a - b)]));
}

/** How many of a sorted list are no larger. */
function countUpTo(sorted: readonly number[] = [], limit: number): number {
  return countWhile(sorted, (value) => value <= limit);
}
