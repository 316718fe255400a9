import type { SectionRun } from '../sections/recorder.ts';
import type { Cause } from '../semconv.ts';
import type { SpansInFlight } from '../spans/in-flight.ts';
import type { SpanState } from '../spans/tracker.ts';
import { isDebuggerListening } from '../watchdog/debugger.ts';
import type { LongTurn } from '../watchdog/turns.ts';
import { isAsleep, type StallEvidence, spanCause, starvedBy, verdict } from '../watchdog/verdict.ts';
import type { DrawStall } from './draw.ts';
import { evidenceOf, evidenceOfAll, ownShareMs, StallMarks } from './marks.ts';
import { type Sample, type Share, type StallShares, shareStall } from './shares.ts';
import { keepRecord, newRecord, type StallRecord } from './victims.ts';

const startOf = (state: SpanState): number => state.startedAt;

/** Why nobody is blamed for a pause of the debugger's. */
const DEBUGGER = 'debugger';

/** What the metrics count of a stall: a culprit's part of it, or all of it where nobody is one. */
export interface StallPart {
  readonly ms: number;
  readonly cause: Cause;
  readonly share: Share<SpanState> | undefined;
  readonly harmMs: number;
  /** What took the CPU, where the loop got none. */
  readonly starvedBy: 'cpu_quota' | 'other_work' | undefined;
  /** Why it was expected, where it was. */
  readonly expected: string | undefined;
}

/** One stall, from the moment that its turn has reached the threshold until all evidence is in. */
export class Stall {
  readonly marks: StallMarks;
  /** What its victims are told, by reference: it changes as more is known. */
  readonly record: StallRecord = newRecord();
  /** The shares as they were last worked out, and when. */
  shares: StallShares<SpanState> = { shares: [], unknownMs: 0, kind: 'hold' };
  at = Number.NEGATIVE_INFINITY;
  readonly #thresholdMs: number;
  #expected: string | undefined;
  #lengthMs = 0;

  /** @param expected why nobody is blamed for it, if so */
  constructor(thresholdMs: number, inFlight: SpansInFlight, draw: DrawStall, expected?: string) {
    this.#thresholdMs = thresholdMs;
    this.#expected = expected;
    this.marks = new StallMarks(thresholdMs, inFlight, draw);
  }

  /** Works out whose it is, by all that was seen of the turn until now. */
  share(turn: LongTurn, runs: readonly SectionRun[], samples: readonly Sample<SpanState>[]): void {
    this.shares = shareStall(turn, runs, samples, startOf);
    this.at = turn.to;
    this.#lengthMs = turn.to - turn.from;
  }

  /** Marks the culprits, and says to the victims why. */
  judge(evidence: StallEvidence): void {
    const all = evidenceOfAll(this.shares, this.#lengthMs, evidence);
    const cause = verdict(all);
    // Asleep in the midst of JavaScript, and in no call that was measured: a debugger has paused it.
    if (all === evidence && isAsleep(all) && isDebuggerListening()) this.#expected = DEBUGGER;
    if (this.#expected !== undefined) {
      this.record.cause = cause;
      return;
    }
    keepRecord(this.record, this.shares, cause);
    this.marks.apply(this.shares, evidence);
  }

  /** What the metrics count of it. */
  parts(evidence: StallEvidence): StallPart[] {
    const cause = verdict(evidenceOfAll(this.shares, this.#lengthMs, evidence));
    const culprits = this.shares.shares.filter((share) => ownShareMs(share, evidence) >= this.#thresholdMs);
    if (cause === 'starved' || cause === 'suspended' || culprits.length === 0) {
      const ms = this.#lengthMs;
      const harmMs = this.marks.harmMs(ms);
      const by = cause === 'starved' ? starvedBy(evidence) : undefined;
      return [{ ms, cause, share: undefined, harmMs, starvedBy: by, expected: this.#expected }];
    }
    return culprits.map((share) => ({
      ms: share.ms,
      cause: spanCause(evidenceOf(share, evidence)),
      share,
      harmMs: this.marks.harmMs(share.ms, share),
      starvedBy: undefined,
      expected: this.#expected ?? share.section?.expected,
    }));
  }
}
