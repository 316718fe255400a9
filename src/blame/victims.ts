import type { Attributes, Span, SpanContext } from '@opentelemetry/api';
import { seconds } from '../clock.ts';
import * as semconv from '../semconv.ts';
import type { SpansInFlight } from '../spans/in-flight.ts';
import type { SpanState } from '../spans/tracker.ts';
import { callOf, type Share, type StallShares } from './shares.ts';

/** What a stall's victims are told of it. Its cause and its culprit may become known after they were told. */
export interface StallRecord {
  cause: semconv.Cause;
  /** The span that held the loop for longest; `undefined` where none is known. */
  culprit: SpanState | undefined;
  /** The one after it: for the culprit itself, which waited for the others. */
  second: SpanState | undefined;
  /** What held the loop, the longest first: the first two, be they of spans or not. */
  by: readonly Holder[];
}

/** Who held the loop, by its name: a client call, else a function. */
interface Holder {
  readonly owner: SpanState | undefined;
  readonly name: string | undefined;
}

/** What one span has lost to stalls that others caused. */
export interface StalledTotals {
  ms: number;
  /** Of the stall that cost it most. */
  worstMs: number;
  worst: StallRecord;
  /** Whether it was seen to go on right after a stall: then it had waited for it. */
  waited: boolean;
  /** The turn in which going on counts as that. */
  turn: number;
}

/** Less is not told: the loop's own turns take as long. */
const MIN_LOST_MS = 1;

/** Who held the loop in a stall, as far as is known, and for how long in all. */
interface Held {
  /** By span, the spans above it included: they did not wait for what they asked for. */
  readonly own: ReadonlyMap<SpanState, number>;
  readonly ms: number;
}

function heldIn(stall: StallShares<SpanState>): Held {
  const own = new Map<SpanState, number>();
  let all = 0;
  for (const { owner, ms } of stall.shares) {
    all += ms;
    for (let state = owner; state; state = state.parent) own.set(state, (own.get(state) ?? 0) + ms);
  }
  return { own, ms: all };
}

/** Of a stall of which nothing is known yet. */
export const newRecord = (): StallRecord => ({
  cause: 'unknown',
  culprit: undefined,
  second: undefined,
  by: [],
});

const holderOf = (share: Share<SpanState>): Holder => ({
  owner: share.owner,
  name: callOf(share)?.name ?? share.code?.functionName,
});

/** Writes into a stall's record what is known of it by now: who held the loop for longest. */
export function keepRecord(record: StallRecord, stall: StallShares<SpanState>, cause: semconv.Cause): void {
  const isOwn = cause !== 'starved' && cause !== 'suspended';
  const accused = isOwn ? stall.shares.filter((share) => share.owner) : [];
  record.cause = cause;
  record.by = isOwn ? stall.shares.slice(0, 2).map(holderOf) : [];
  record.culprit = accused[0]?.owner;
  record.second = accused[1]?.owner;
}

/** Tells every span in flight what it loses to the stalls of others. */
export class Victims {
  readonly #inFlight: SpansInFlight;
  readonly #thresholdMs: number;
  /** Asked for anew by each span that ends in a stall: thousands may end in one, with a share each. */
  readonly #held = new WeakMap<StallShares<SpanState>, Held>();

  constructor(inFlight: SpansInFlight, thresholdMs: number) {
    this.#inFlight = inFlight;
    this.#thresholdMs = thresholdMs;
  }

  /** A stall is over: all that are in flight have stood still in it. `turn` is the number of the turn that comes next. */
  tell(from: number, to: number, stall: StallShares<SpanState>, record: StallRecord, turn: number): void {
    const held = this.#heldIn(stall);
    this.#inFlight.forEach((state) => {
      if (state.startedAt < to) lose(state, this.#lostMs(state, from, to, held), record, turn);
    });
  }

  /** A span ends inside a stall: it has stood still until now, and has just been seen to go on. */
  tellOne(
    state: SpanState,
    from: number,
    to: number,
    stall: StallShares<SpanState>,
    record: StallRecord,
    turn: number,
  ): void {
    lose(state, this.#lostMs(state, from, to, this.#heldIn(stall)), record, turn);
    if (state.stalled) state.stalled.waited = true;
  }

  #heldIn(stall: StallShares<SpanState>): Held {
    let held = this.#held.get(stall);
    if (!held) {
      held = heldIn(stall);
      this.#held.set(stall, held);
    }
    return held;
  }

  /**
   * What a span lost in a stall. One that held the loop itself is told only of what others are known to have held, and
   * only where that would have been a stall without it.
   */
  #lostMs(state: SpanState, from: number, to: number, held: Held): number {
    const open = to - Math.max(from, state.startedAt);
    const own = held.own.get(state);
    if (own === undefined) return open;
    const others = Math.min(open, held.ms) - own;
    return others < this.#thresholdMs ? 0 : others;
  }
}

function lose(state: SpanState, ms: number, record: StallRecord, turn: number): void {
  if (ms < MIN_LOST_MS) return;
  const { stalled } = state;
  if (!stalled) {
    state.stalled = { ms, worstMs: ms, worst: record, waited: false, turn };
    return;
  }
  stalled.ms += ms;
  stalled.turn = turn;
  if (ms > stalled.worstMs) {
    stalled.worstMs = ms;
    stalled.worst = record;
  }
}

/** A span was seen to go on in this turn: if a stall was right before it, the span and those above it had waited for it. */
export function noteProgress(state: SpanState | undefined, turn: number): void {
  for (let at = state; at?.stalled && at.stalled.turn === turn && !at.stalled.waited; at = at.parent) {
    at.stalled.waited = true;
  }
}

/** Writes on a span that ends what it has lost, with one link to the span that cost it most. */
export function writeStalled(state: SpanState): void {
  const { stalled, span } = state;
  if (!stalled || !span.isRecording()) return;
  const { worst } = stalled;
  const culprit = worst.culprit === state ? worst.second : worst.culprit;
  const by = worst.by.find(({ owner }) => owner !== state)?.name;
  span.setAttributes({
    [semconv.ATTR_STALLED_DURATION]: seconds(stalled.ms),
    [semconv.ATTR_STALLED_CAUSE]: worst.cause,
    [semconv.ATTR_STALLED_CERTAINTY]: stalled.waited ? 'waiting' : 'open',
    ...(by !== undefined && { [semconv.ATTR_STALLED_BY]: by }),
  });
  if (!culprit || isParent(culprit, span)) return;
  const attributes: Attributes = {
    [semconv.ATTR_LINK_TYPE]: semconv.LINK_STALLED_BY,
    [semconv.ATTR_STALLED_DURATION]: seconds(stalled.worstMs),
  };
  const context: SpanContext = culprit.span.spanContext();
  span.addLink({ context, attributes });
}

/**
 * Whether the one is the other's parent: the trace says so already, and Jaeger would take a link to it in the parent's place
 * (it translates both into references, one for each span).
 */
function isParent({ span: parent }: SpanState, span: Span): boolean {
  const child = span as { parentSpanContext?: SpanContext; parentSpanId?: string };
  // of SDK 2 and 1
  const parentId = child.parentSpanContext?.spanId ?? child.parentSpanId;
  return parentId !== undefined && parentId === parent.spanContext().spanId;
}
