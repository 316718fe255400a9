import type { Unread } from './unread.ts';

/** For how long a request had stood unread when its span began, in milliseconds. */
export interface DoorWait {
  /** Never more than the truth. */
  readonly minMs: number;
  /** `undefined` where nothing says when it can have come at the earliest. */
  readonly maxMs: number | undefined;
}

/** What is known of a request that the loop begins with. Times in ms on the monotonic clock. */
export interface Arrival {
  /** When the loop begins with it. */
  readonly at: number;
  /** What was seen of its connection while the loop was stuck. */
  readonly unread: Unread | undefined;
  /** By when all was read that its connection, or one before it from the same port of the peer, had sent before. */
  readonly readBefore: number;
  /** Until when the loop has slept last: then it had read whatever had come. */
  readonly sleptUntil: number;
  /**
   * When the loop began to read what had come by then, in this turn; `undefined` where the request may have come later.
   */
  readonly lapStart: number | undefined;
}

/**
 * It has waited since it was first seen, or since the loop began to read what this turn found: the longer of the two is a
 * fact. Of a turn alone only what makes a stall is told.
 */
export function waitOf(arrival: Arrival, thresholdMs: number): DoorWait | undefined {
  const { at, unread, lapStart } = arrival;
  const lapMs = lapStart === undefined ? 0 : at - lapStart;
  if (!unread || isOfAnother(unread, arrival)) {
    return lapMs >= thresholdMs ? { minMs: lapMs, maxMs: undefined } : undefined;
  }
  return between(at, Math.min(unread.seenBy, at - lapMs), earliestOf(unread, arrival));
}

/** For requests that were read together with another before them on their connection. */
export interface Batch {
  /** When the last of them had come at the latest, and the first at the earliest; 0 where that is not known. */
  readonly latest: number;
  readonly earliest: number;
}

/**
 * What is known of requests that come in the same read as this one. `undefined` where more was read than had been seen:
 * then nothing is known of the last of them.
 */
export function batchOf(arrival: Arrival, readBytes: number): Batch | undefined {
  const { unread } = arrival;
  if (!unread || isOfAnother(unread, arrival) || readBytes > unread.bytes) return undefined;
  return { latest: unread.grewBy, earliest: earliestOf(unread, arrival) };
}

export function waitInBatch(at: number, { latest, earliest }: Batch): DoorWait {
  return between(at, latest, earliest);
}

/** Seen before all was read: those were other bytes. */
const isOfAnother = (unread: Unread, { readBefore }: Arrival): boolean => unread.seenFrom <= readBefore;

function earliestOf({ anchor, seenFrom }: Unread, { sleptUntil }: Arrival): number {
  return sleptUntil <= seenFrom ? Math.max(anchor, sleptUntil) : anchor;
}

function between(at: number, latest: number, earliest: number): DoorWait {
  const minMs = at - latest;
  return { minMs, maxMs: earliest > 0 ? Math.max(minMs, at - earliest) : undefined };
}
