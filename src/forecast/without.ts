import { groupBy, sum } from './collections.ts';
import { Replay } from './replay.ts';
import type { Evidence, Request } from './requests.ts';
import { Timeline } from './timeline.ts';

/** One request's latency, in milliseconds, as it is and without a culprit. */
export interface Without {
  readonly asItIsMs: number;
  /** If the culprit took as long and did not hold the loop. */
  readonly awaitedMs: number;
  /** If the culprit took no time at all. */
  readonly notWaitingMs: number;
  /** For how long the request itself held the loop with the culprit's call. */
  readonly heldMs: number;
  /** No other request's hold by the culprit was in its way while it was open: what it took is what it takes. */
  readonly isUndisturbed: boolean;
}

/** Times of today are doubles that hold a quarter of a microsecond. */
const ROUNDING_MS = 1e-3;

/** When one loop was held: by anything, and by each culprit. */
interface Loop {
  readonly all: Timeline;
  /**
   * The same with the gaps between holds that are shorter than a stall. There the loop read those who wait, and what it
   * waited for itself had been held up before: each answer of a database that came late, the next question too.
   */
  readonly stalls: Timeline;
  readonly by: ReadonlyMap<string, Timeline>;
  readonly replay: Replay;
  /** What each request loses in a replay of all that was. */
  readonly losses: ReadonlyMap<Request, number>;
}

interface Replays {
  readonly key: string;
  readonly awaited: ReadonlyMap<Request, number>;
  readonly gone: ReadonlyMap<Request, number>;
}

/**
 * Takes a culprit's holds out of requests. Of the time that a request stood still for others while it was open, and of the
 * time that it had stood unread before, the culprit's part goes: by its part of the holds in that time.
 */
export class Counterfactual {
  readonly #loops = new Map<string, Loop>();

  /** What requests lose without the culprit that was asked for last: one is asked for many requests. */
  readonly #replays = new Map<Loop, Replays>();

  constructor({ holds, requests, gapMs }: Evidence) {
    const requestsOf = groupBy(requests, (request) => request.loop);
    for (const [loop, ofLoop] of groupBy(holds, (hold) => hold.loop)) {
      const all = new Timeline(ofLoop);
      const by = new Map<string, Timeline>();
      for (const [key, ofCulprit] of groupBy(ofLoop, (hold) => hold.key)) by.set(key, new Timeline(ofCulprit));
      const replay = new Replay(requestsOf.get(loop) ?? [], ofLoop, all);
      const losses = by.size > 1 ? replay.losses(undefined, false) : new Map();
      this.#loops.set(loop, { all, stalls: all.filled(gapMs), by, replay, losses });
    }
  }

  without(key: string, request: Request): Without {
    const { startMs, endMs } = request;
    const spanMs = endMs - startMs;
    const doorMs = request.doorMs ?? 0;
    const asItIsMs = spanMs + doorMs;
    const own = ownHolds(request);
    const heldMs = own.get(key) ?? 0;
    const loop = this.#loops.get(request.loop);
    const culprit = loop?.by.get(key);
    if (!loop || !culprit) {
      return { asItIsMs, awaitedMs: asItIsMs, notWaitingMs: asItIsMs, heldMs: 0, isUndisturbed: true };
    }
    const ownMs = sum(own.values());
    const isHeldUp = loop.all.within(startMs, endMs) > ownMs + ROUNDING_MS;
    const inFlightMs = isHeldUp ? clamp(loop.stalls.within(startMs, endMs) - ownMs, 0, spanMs - ownMs) : 0;
    const lostMs = doorMs + inFlightMs;
    const sentMs = startMs - doorMs;
    const itsPart = shareOf(culprit.within(sentMs, endMs) - heldMs, loop.all.within(sentMs, endMs) - ownMs);
    const without = (isAwaited: boolean): number => {
      const [before, after] = this.#replayed(loop, key, request, isAwaited);
      // Nobody else is there, or nothing was lost in the replay
      if (before < ROUNDING_MS) return Math.max(0, asItIsMs - lostMs * itsPart);
      // It may lose more than before, where others' turns come earlier
      return Math.max(0, asItIsMs - lostMs + (after < before ? (lostMs * after) / before : lostMs + after - before));
    };
    const awaitedMs = without(true);
    return {
      asItIsMs,
      awaitedMs,
      notWaitingMs: Math.max(0, without(false) - heldMs),
      heldMs,
      isUndisturbed: culprit.within(startMs, endMs) <= heldMs + ROUNDING_MS,
    };
  }

  /** What a request loses to others in a replay of all, and in one without the culprit. */
  #replayed(loop: Loop, key: string, request: Request, isAwaited: boolean): [number, number] {
    const before = loop.losses.get(request) ?? 0;
    if (before === 0) return [0, 0];
    let replays = this.#replays.get(loop);
    if (replays?.key !== key) {
      replays = { key, awaited: loop.replay.losses(key, true), gone: loop.replay.losses(key, false) };
      this.#replays.set(loop, replays);
    }
    return [before, (isAwaited ? replays.awaited : replays.gone).get(request) ?? 0];
  }
}

/** How long a request held the loop itself while it was open, by culprit. */
function ownHolds({ holds, startMs, endMs }: Request): Map<string, number> {
  const own = new Map<string, number>();
  for (const { key, fromMs, toMs } of holds) {
    const ms = Math.min(toMs, endMs) - Math.max(fromMs, startMs);
    if (ms > 0) own.set(key, (own.get(key) ?? 0) + ms);
  }
  return own;
}

const shareOf = (part: number, whole: number): number => (whole > 0 ? clamp(part / whole, 0, 1) : 0);
const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
