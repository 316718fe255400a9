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
  const times = new Map<string, number[]>();
  for (const request of requests) {
    const known = times.get(request.loop);
    if (known) known.push(timeOf(request));
    else times.set(request.loop, [timeOf(request)]);
  }
  for (const list of times.values()) list.sort((a, b) => a - b);
  return times;
}

/** How many of a sorted list are no larger. */
function countUpTo(sorted: readonly number[] | undefined, limit: number): number {
  let low = 0;
  let high = sorted?.length ?? 0;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted![middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
