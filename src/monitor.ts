import { executionAsyncId } from 'node:async_hooks';
import type { Meter, TracerProvider } from '@opentelemetry/api';
import { evidenceOf, ownShareMs, StallMarks } from './blame/marks.ts';
import { type Sample, type StallShares, shareStall } from './blame/shares.ts';
import { now } from './clock.ts';
import type { ResolvedConfig } from './config.ts';
import { Metrics } from './metrics/metrics.ts';
import { type SectionListener, SectionRecorder, type SectionRun } from './sections/recorder.ts';
import { ATTR_SYNC_COUNT, ATTR_SYNC_DURATION, ATTR_SYNC_MAX } from './semconv.ts';
import { type SpanListener, type SpanState, SpanTracker } from './spans/tracker.ts';
import { GcPauses } from './watchdog/gc.ts';
import { type Judgement, judge, userFrame } from './watchdog/judge.ts';
import { StackReader } from './watchdog/stack.ts';
import type { LongTurn } from './watchdog/turns.ts';
import { type StallEvidence, spanCause, verdict } from './watchdog/verdict.ts';
import { type Reading, type ThreadHeld, Watchdog, type WatchdogListener } from './watchdog/watchdog.ts';

/** Samples kept of one turn; beyond it every other one is forgotten. */
const MAX_SAMPLES = 256;
/** A stall is settled when garbage collection has been reported and the thread has looked: turns, or ms at the latest. */
const SETTLE_TURNS = 4;
const SETTLE_MAX_MS = 250;

/** The evaluated expression itself is a frame. */
const INSPECTOR_FRAMES = 1;

/** A sample that took longer lost its CPU meanwhile. */
const SAMPLE_MAX_MS = 1;
const STARVED_SPELL_MS = 1000;

/** A long turn that waits for the rest of its evidence. */
interface PendingStall {
  readonly turn: LongTurn;
  readonly samples: readonly Sample<SpanState>[];
  readonly runs: readonly SectionRun[];
  readonly evidence: StallEvidence;
  readonly heldBefore: ThreadHeld;
  readonly marks: StallMarks;
  turns: number;
}

/** Ties the stages together for one loop: sections and samples become stalls, stalls become marks and metrics. */
export class LoopMonitor implements WatchdogListener, SectionListener, SpanListener {
  readonly spans: SpanTracker;
  readonly sections: SectionRecorder;
  readonly #metrics: Metrics;
  readonly #watchdog: Watchdog;
  readonly #gc = new GcPauses();
  readonly #stack = new StackReader();
  readonly #thresholdMs: number;

  // Of the current turn
  #samples: Sample<SpanState>[] = [];
  #marks: StallMarks | undefined;
  /** Spans that something of this turn points to: only they are looked at when they end. */
  readonly #suspects = new Set<SpanState>();
  #heldBefore: ThreadHeld = { stopped: 0, starved: 0 };
  #slowStart: Reading | undefined;
  /** What our own samples took of the turn. */
  #samplingMs = 0;

  /** The thread's starvation as it was one to two seconds before the last stalls. */
  #starvedBefore = { older: 0, newer: 0, at: 0 };

  #pending: PendingStall[] = [];

  constructor(config: ResolvedConfig) {
    this.#thresholdMs = config.blockedThresholdMs;
    this.spans = new SpanTracker(this);
    this.sections = new SectionRecorder(this.spans, this, {
      thresholdMs: config.blockedThresholdMs,
      sectionEventMinMs: config.sectionEventMinMs,
    });
    this.#watchdog = new Watchdog(this, { thresholdMs: config.blockedThresholdMs, sampling: config.sampling });
    this.#metrics = new Metrics(() => this.#watchdog.heartbeat.takeWorstMs(), config.maxFunctions);
  }

  start(): void {
    this.#gc.start();
    this.#watchdog.start();
  }

  stop(): void {
    this.settleNow();
    this.#watchdog.stop();
    this.#gc.stop();
    this.#metrics.stop();
    this.spans.stop();
  }

  useTracerProvider(provider: TracerProvider): void {
    this.spans.follow(provider);
  }

  useMeter(meter: Meter): void {
    this.#metrics.use(meter);
  }

  /** Settles what waits for more evidence with what there is: before the process or the SDK ends. */
  settleNow(): void {
    for (const pending of this.#pending.splice(0)) this.#settle(pending);
  }

  onSpanStart(state: SpanState): void {
    this.sections.adopt(state);
    this.#watchdog.noteActivity();
  }

  onSpanEnd(state: SpanState): void {
    const at = now();
    this.sections.endOwner(state, at);
    const { sync, span } = state;
    if (sync && span.isRecording()) {
      span.setAttributes({
        [ATTR_SYNC_DURATION]: sync.sumMs / 1e3,
        [ATTR_SYNC_MAX]: sync.maxMs / 1e3,
        [ATTR_SYNC_COUNT]: sync.count,
      });
    }
    // Many short sections of one turn make no suspect each, but may hold the loop together.
    if (this.#suspects.has(state) || (sync && sync.sumMs >= this.#thresholdMs)) this.#markSoFar(at);
    if (state.blocked) {
      this.#marks?.writeEvent(state);
      for (const { marks } of this.#pending) marks.writeEvent(state);
    }
    this.#metrics.countSpan(state.blocked !== undefined);
  }

  onSlowSectionStart(): void {
    this.#watchdog.noteActivity();
    this.#slowStart = this.#watchdog.read();
  }

  onLongSection(run: SectionRun, wrapper: Function): void {
    const at = now();
    const start = this.#slowStart;
    const end = run.section.slow && start && start.after <= run.end ? this.#watchdog.read() : undefined;
    run.details = {
      stack: this.#stack.frames(wrapper),
      evidence: start &&
        end && { wall: end.before - start.after, run: end.run - start.run, queue: end.queue - start.queue },
    };
    if (run.owner) this.#suspects.add(run.owner);
    this.#markSoFar(at);
  }

  onSample(postedAt: number, at: number, sampler: Function): void {
    const frames = this.#stack.frames(sampler, INSPECTOR_FRAMES);
    const section = this.sections.current();
    let owner: SpanState | undefined;
    let judgement: Judgement;
    if (section && section.start <= postedAt) {
      // The section was open during the whole wait, whatever native code it is in.
      // A callback's code may have a span of its own by now.
      owner = (section.section.phase === 'callback' ? this.spans.activeState() : undefined) ?? section.owner;
      judgement = { span: true, code: userFrame(frames), why: 'encloses' };
    } else {
      owner = this.spans.activeState();
      judgement = judge(frames);
    }
    if (this.#samples.length >= MAX_SAMPLES) this.#samples = this.#samples.filter((_, i) => i % 2 === 1);
    this.#samples.push({ postedAt, at, owner, judgement, frames, callback: executionAsyncId() });
    if (owner && judgement.span) this.#suspects.add(owner);
    this.#markSoFar(at);
    this.#samplingMs += Math.min(SAMPLE_MAX_MS, now() - at);
  }

  onLongTurn(turn: LongTurn): void {
    const pending: PendingStall = {
      turn,
      samples: this.#samples,
      runs: this.sections.takeRuns(),
      evidence: this.#evidenceOf(turn),
      heldBefore: this.#heldBefore,
      marks: this.#marks ?? new StallMarks(this.#thresholdMs),
      turns: 0,
    };
    this.#samples = [];
    this.#pending.push(pending);
    // Spans may end right after the stall, long before it can be settled.
    if (!this.#watchdog.isThreadLate(turn.to)) pending.marks.apply(this.#share(pending), this.#complete(pending));
  }

  onTurnEnd(): boolean {
    if (this.#samples.length > 0) this.#samples = [];
    this.sections.clear();
    if (this.#suspects.size > 0) this.#suspects.clear();
    this.#marks = undefined;
    this.#samplingMs = 0;
    this.#heldBefore = this.#watchdog.threadHeld;
    if (this.#pending.length > 0) this.#settleDue();
    return this.#pending.length > 0;
  }

  /** Marks, in mid-stall, every span that has held the loop for the threshold by now. */
  #markSoFar(at: number): void {
    const turn = this.#watchdog.heartbeat.currentTurn(at);
    if (turn.to - turn.from < this.#thresholdMs || this.#watchdog.isThreadLate(at)) return;
    const shares = shareStall(turn, this.sections.runsSoFar(at), this.#samples, startOf);
    const evidence = {
      ...this.#evidenceOf(turn),
      ...this.#heldSince(this.#heldBefore, turn.to - turn.from),
    };
    this.#marks ??= new StallMarks(this.#thresholdMs);
    this.#marks.apply(shares, evidence);
  }

  #share({ turn, runs, samples }: PendingStall): StallShares<SpanState> {
    return shareStall(turn, runs, samples, startOf);
  }

  #complete({ turn, evidence, heldBefore }: PendingStall): StallEvidence {
    const length = turn.to - turn.from;
    return {
      ...evidence,
      ...this.#heldSince(heldBefore, evidence.wall),
      // what was seen of the whole turn, in the part of it that the readings are of
      gc: (this.#gc.within(turn.from, turn.to) * evidence.wall) / length,
    };
  }

  /** Starvation comes in spells, and the thread does not see each moment of it: the last second or two count. */
  #heldSince(before: ThreadHeld, wall: number): { stopped: number; threadsStarved: number } {
    const held = this.#watchdog.threadHeld;
    const at = now();
    const starved = this.#starvedBefore;
    if (at - starved.at > STARVED_SPELL_MS) {
      this.#starvedBefore = { older: starved.newer, newer: held.starved, at };
    }
    return {
      stopped: Math.min(wall, held.stopped - before.stopped),
      threadsStarved: Math.min(wall, held.starved - this.#starvedBefore.older),
    };
  }

  /** The loop thread's readings of a turn, less what our samples took of it. */
  #evidenceOf(turn: LongTurn): StallEvidence {
    const evidence = this.#watchdog.evidence(turn, this.#watchdog.read());
    if (evidence.run === undefined) return evidence;
    return { ...evidence, run: Math.max(0, evidence.run - this.#samplingMs) };
  }

  #settleDue(): void {
    const at = now();
    this.#pending = this.#pending.filter((pending) => {
      pending.turns++;
      const age = at - pending.turn.to;
      const isDue = pending.turns > SETTLE_TURNS && this.#watchdog.hasThreadLookedSince(pending.turn.to);
      if (!isDue && age < SETTLE_MAX_MS) return true;
      this.#settle(pending);
      return false;
    });
  }

  #settle(pending: PendingStall): void {
    const evidence = this.#complete(pending);
    const shares = this.#share(pending);
    pending.marks.apply(shares, evidence);
    pending.marks.writeEvents();
    this.#record(pending.turn, shares, evidence);
  }

  #record(turn: LongTurn, { shares }: StallShares<SpanState>, evidence: StallEvidence): void {
    const cause = verdict(evidence);
    const culprits = shares.filter((share) => ownShareMs(share, evidence) >= this.#thresholdMs);
    if (cause === 'starved' || cause === 'suspended' || culprits.length === 0) {
      this.#metrics.recordBlocked({ ms: turn.to - turn.from, cause });
      return;
    }
    for (const share of culprits) {
      const { ms, section, code } = share;
      this.#metrics.recordBlocked({ ms, cause: spanCause(evidenceOf(share, evidence)), section, code });
    }
  }
}

const startOf = (state: SpanState): number => state.startedAt;
