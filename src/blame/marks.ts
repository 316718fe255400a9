import type { Attributes } from '@opentelemetry/api';
import { seconds } from '../clock.ts';
import type { DoorCounts } from '../door/door.ts';
import { ownThreadAttributes } from '../loop-thread.ts';
import * as semconv from '../semconv.ts';
import type { SpansInFlight } from '../spans/in-flight.ts';
import type { SpanState } from '../spans/tracker.ts';
import { formatStack } from '../watchdog/stack.ts';
import { ownFraction, type StallEvidence, spanCause, verdict } from '../watchdog/verdict.ts';
import type { DrawStall } from './draw.ts';
import { callOf, type Share, type StallShares } from './shares.ts';

/** What one stall has put on one span so far. */
interface Contribution {
  ms: number;
  /** The span's longest stretch before this stall. */
  readonly maxBefore: number;
  share: Share<SpanState>;
  evidence: StallEvidence;
  /** Other requests under way when it was first seen: nobody else can begin while the loop is held. */
  readonly victims: number;
  hasEvent: boolean;
}

/** A share's own evidence where it has one: that of the section that made the most of it. */
export function evidenceOf(share: Share<SpanState>, stall: StallEvidence): StallEvidence {
  return share.evidence && share.evidenceMs >= share.ms / 2
    ? { ...share.evidence, stopped: stall.stopped ?? 0 }
    : stall;
}

/**
 * The evidence of a stall as a whole. Where sections that were measured on their own make the most of it, it is theirs:
 * taken inside the call, it says more than what was read around the turn.
 */
export function evidenceOfAll(stall: StallShares<SpanState>, length: number, around: StallEvidence): StallEvidence {
  let [covered, wall, run, queue] = [0, 0, 0, 0];
  for (const share of stall.shares) {
    if (!share.evidence || share.sectionMs < share.ms / 2) continue;
    covered += share.ms;
    wall += share.evidence.wall;
    run += share.evidence.run ?? 0;
    queue += share.evidence.queue ?? 0;
  }
  return covered >= length / 2 ? { wall, run, queue, stopped: around.stopped ?? 0 } : around;
}

/** The part of a share that its span may be accused of: without waiting for a CPU, and without a stop of the process. */
export function ownShareMs(share: Share<SpanState>, stall: StallEvidence): number {
  const evidence = evidenceOf(share, stall);
  // By the cause of all of it: what a starved or stopped share collected beside does not make the wait its own.
  return share.ms * ownFraction(evidence, verdict(evidence));
}

/** Where in the code, in OpenTelemetry's names. */
function codeAttributes(share: Share<SpanState>): Attributes {
  const { code } = share;
  if (!code) return {};
  return {
    [semconv.ATTR_CODE_FUNCTION_NAME]: code.functionName,
    [semconv.ATTR_CODE_FILE_PATH]: code.file,
    [semconv.ATTR_CODE_LINE_NUMBER]: code.line,
    [semconv.ATTR_CODE_STACKTRACE]: formatStack(share.stack),
  };
}

/** The client call that made most of it, if one did. */
function sectionAttributes(share: Share<SpanState>): Attributes {
  const section = callOf(share)?.name;
  return section === undefined ? {} : { [semconv.ATTR_BLOCKED_SECTION]: section };
}

/** What the share's time was spent on: where the accounts are of another part of the turn, or of more of it, in proportion. */
function timesOf(share: Share<SpanState>, { wall, run, queue = 0, gc }: StallEvidence): Attributes {
  const part = (ms: number): number => seconds(wall > 0 ? (ms * share.ms) / wall : 0);
  return {
    ...(run !== undefined && {
      [semconv.ATTR_STALL_CPU_TIME]: part(run),
      [semconv.ATTR_STALL_QUEUE_TIME]: part(queue),
      [semconv.ATTR_STALL_SLEEP_TIME]: part(Math.max(0, wall - run - queue)),
    }),
    ...(gc !== undefined && { [semconv.ATTR_STALL_GC_TIME]: part(gc) }),
  };
}

/**
 * What one stall writes on spans. It is written while the stall lasts (a span may end inside it, and an ended span cannot
 * be marked) and written anew as more is known.
 */
export class StallMarks {
  readonly #thresholdMs: number;
  readonly #inFlight: SpansInFlight;
  readonly #draw: DrawStall;
  readonly #contributions = new Map<SpanState, Contribution>();
  kind: 'hold' | 'burst' = 'hold';
  /** Who stood at the door meanwhile. */
  door: DoorCounts | undefined;

  /** Requests under way when the stall was noticed. */
  readonly #requests: number;

  constructor(thresholdMs: number, inFlight: SpansInFlight, draw: DrawStall) {
    this.#thresholdMs = thresholdMs;
    this.#inFlight = inFlight;
    this.#draw = draw;
    this.#requests = inFlight.roots;
  }

  /** Request-milliseconds that others lost to a share of the stall, or, without one, to all of it. */
  harmMs(ms: number, share?: Share<SpanState>): number {
    const known = share?.owner && this.#contributions.get(share.owner);
    return ms * (known?.victims ?? Math.max(0, this.#requests - (share?.owner ? 1 : 0)));
  }

  #othersThan(state: SpanState | undefined): number {
    return this.#inFlight.roots - (state?.root.inFlight ? 1 : 0);
  }

  /** Whether the stall has marked this span. */
  has(state: SpanState): boolean {
    return this.#contributions.has(state);
  }

  /** Marks every span whose own share has reached the threshold. */
  apply(stall: StallShares<SpanState>, evidence: StallEvidence): void {
    this.kind = stall.kind;
    for (const share of stall.shares) {
      if (!share.owner || share.owner.ended) continue;
      if (ownShareMs(share, evidence) >= this.#thresholdMs) this.#mark(share.owner, share, evidence);
    }
  }

  /** The stall's event on a span, once what is known of it is complete or the span ends. */
  writeEvent(state: SpanState): void {
    const contribution = this.#contributions.get(state);
    if (!contribution || contribution.hasEvent || state.ended || !state.span.isRecording()) return;
    contribution.hasEvent = true;
    const { share, evidence } = contribution;
    const own = evidenceOf(share, evidence);
    this.#draw(state, share, {
      [semconv.ATTR_STALL_DURATION]: seconds(share.ms),
      [semconv.ATTR_STALL_THRESHOLD]: seconds(this.#thresholdMs),
      [semconv.ATTR_STALL_CAUSE]: spanCause(own),
      [semconv.ATTR_STALL_KIND]: this.kind,
      ...timesOf(share, own),
      ...this.door,
      ...sectionAttributes(share),
      ...codeAttributes(share),
      ...ownThreadAttributes,
    });
  }

  writeEvents(): void {
    for (const state of this.#contributions.keys()) this.writeEvent(state);
  }

  #mark(state: SpanState, share: Share<SpanState>, evidence: StallEvidence): void {
    state.blocked ??= { durationMs: 0, maxMs: 0, count: 0, victims: 0, harmMs: 0, told: {} };
    const totals = state.blocked;
    let contribution = this.#contributions.get(state);
    const before = contribution?.ms ?? 0;
    if (contribution) {
      contribution.ms = share.ms;
      contribution.share = share;
      contribution.evidence = evidence;
    } else {
      const victims = this.#othersThan(state);
      contribution = { ms: share.ms, maxBefore: totals.maxMs, share, evidence, victims, hasEvent: false };
      this.#contributions.set(state, contribution);
      totals.count++;
    }
    totals.durationMs += share.ms - before;
    totals.victims = Math.max(totals.victims, contribution.victims);
    totals.harmMs += (share.ms - before) * contribution.victims;
    totals.maxMs = Math.max(contribution.maxBefore, share.ms);
    state.root.belowMs += share.ms - before;
    this.#write(state, contribution);
  }

  #write(state: SpanState, { share, evidence, maxBefore }: Contribution): void {
    const { span, root, blocked } = state;
    if (!root.ended && root.span.isRecording()) {
      root.span.setAttribute(semconv.ATTR_BLOCKED_BELOW, seconds(root.belowMs));
    }
    if (!blocked || !span.isRecording()) return;
    span.setAttributes({
      [semconv.ATTR_BLOCKED]: true,
      [semconv.ATTR_BLOCKED_DURATION]: seconds(blocked.durationMs),
      [semconv.ATTR_BLOCKED_MAX]: seconds(blocked.maxMs),
      [semconv.ATTR_BLOCKED_COUNT]: blocked.count,
      [semconv.ATTR_BLOCKED_VICTIMS]: blocked.victims,
      [semconv.ATTR_BLOCKED_HARM]: seconds(blocked.harmMs),
      ...ownThreadAttributes,
    });
    // Cause, call and code are those of the longest stretch, as they are known by now: what was written before goes.
    if (share.ms < maxBefore) return;
    const attributes: Attributes = {
      ...blocked.told,
      [semconv.ATTR_BLOCKED_CAUSE]: spanCause(evidenceOf(share, evidence)),
      ...sectionAttributes(share),
      ...codeAttributes(share),
    };
    span.setAttributes(attributes);
    // An attribute can't be taken back, so that one which no longer holds is emptied.
    blocked.told = Object.fromEntries(Object.keys(attributes).map((name) => [name, '']));
  }
}
