import { executionAsyncId } from 'node:async_hooks';
import type { Meter, SpanKind, Tracer, TracerProvider } from '@opentelemetry/api';
import { type DrawStall, drawEvent, drawSpan } from './blame/draw.ts';
import { Evidence, type PendingEvidence } from './blame/evidence.ts';
import { isLate, type Sample } from './blame/shares.ts';
import { Stall } from './blame/stall.ts';
import { writeTimeout } from './blame/timeouts.ts';
import { noteProgress, Victims, writeStalled } from './blame/victims.ts';
import { now, seconds } from './clock.ts';
import type { ResolvedConfig } from './config.ts';
import { UnreadAnswers } from './door/answers.ts';
import { Door } from './door/door.ts';
import { doorMemory } from './door/layout.ts';
import { Metrics } from './metrics/metrics.ts';
import { type SectionListener, SectionRecorder, type SectionRun } from './sections/recorder.ts';
import { StampWriter } from './sections/stamps.ts';
import { ATTR_SYNC_COUNT, ATTR_SYNC_DURATION, ATTR_SYNC_MAX } from './semconv.ts';
import { type SpanListener, type SpanState, SpanTracker } from './spans/tracker.ts';
import { reporterData } from './still-blocked/reporter-data.ts';
import { findResource } from './still-blocked/resource.ts';
import { Escalation } from './watchdog/escalation.ts';
import { GcPauses } from './watchdog/gc.ts';
import { Governor } from './watchdog/governor.ts';
import { type Judgement, judge, userFrame } from './watchdog/judge.ts';
import { formatStack, StackReader } from './watchdog/stack.ts';
import type { LongTurn } from './watchdog/turns.ts';
import { type StallEvidence, withoutThread } from './watchdog/verdict.ts';
import { between, type Reading, Watchdog, type WatchdogListener } from './watchdog/watchdog.ts';

/** Samples kept of one turn; beyond it every other one is forgotten. */
const MAX_SAMPLES = 256;
/** A stall is settled when garbage collection has been reported and the thread has looked: turns, or ms at the latest. */
const SETTLE_TURNS = 4;
const SETTLE_MAX_MS = 250;

/** Why a block is expected while the application starts. */
const STARTUP = 'startup';

/** The evaluated expression itself is a frame. */
const INSPECTOR_FRAMES = 1;

/** A sample that took longer lost its CPU meanwhile. */
const SAMPLE_MAX_MS = 1;

/** A stall that waits for the rest of its evidence. */
interface PendingStall extends PendingEvidence {
  readonly stall: Stall;
  readonly runs: readonly SectionRun[];
  readonly samples: readonly Sample<SpanState>[];
  turns: number;
}

/** Ties the stages together for one loop: sections and samples become stalls, stalls become marks and metrics. */
export class LoopMonitor implements WatchdogListener, SectionListener, SpanListener {
  readonly spans: SpanTracker;
  readonly sections: SectionRecorder;
  readonly #metrics: Metrics;
  readonly #watchdog: Watchdog;
  readonly #door: Door | undefined;
  readonly #gc = new GcPauses();
  readonly #escalation = new Escalation();
  readonly #stack = new StackReader();
  readonly #stamps = new StampWriter((list, first) => this.#watchdog.tell({ names: { first, list } }));
  readonly #thresholdMs: number;
  readonly #startupGraceMs: number;
  readonly #draw: DrawStall;
  #startupEndsAt = 0;
  #isResourceKnown = false;

  readonly #evidence: Evidence;
  readonly #victims: Victims;
  readonly #answers = new UnreadAnswers();
  readonly #governor: Governor;

  // Of the current turn
  #turn = 0;
  #samples: Sample<SpanState>[] = [];
  #stall: Stall | undefined;
  /** Spans that something of this turn points to: when they end, it is worked out anew what they held. */
  readonly #suspects = new Set<SpanState>();
  #slowStart: Reading | undefined;
  /** What our own samples took of the turn. */
  #samplingMs = 0;

  #pending: PendingStall[] = [];

  /** @param tracer gives the tracer for spans of our own */
  constructor(config: ResolvedConfig, tracer: () => Tracer) {
    this.#thresholdMs = config.blockedThresholdMs;
    this.#startupGraceMs = config.startupGraceMs;
    const draw = drawSpan(tracer);
    const unfollowed: DrawStall = (state, share, attributes) =>
      this.spans.unfollowed(() => draw(state, share, attributes));
    this.#draw = config.stalls === 'span' ? unfollowed : drawEvent;
    this.spans = new SpanTracker(this);
    this.sections = new SectionRecorder(
      this.spans,
      this,
      { thresholdMs: config.blockedThresholdMs, sectionEventMinMs: config.sectionEventMinMs },
      this.#stamps,
    );
    const memory = config.door ? doorMemory() : undefined;
    this.#watchdog = new Watchdog(this, {
      thresholdMs: config.blockedThresholdMs,
      sampling: config.sampling,
      door: memory?.buffer,
      reporter: reporterData(config, this.#stamps.buffer),
      heartbeatFile: config.heartbeatFile,
    });
    this.#door = memory && new Door(memory, config.blockedThresholdMs, this.#watchdog);
    this.#evidence = new Evidence(this.#watchdog, this.#gc);
    this.#victims = new Victims(this.spans.inFlight, config.blockedThresholdMs);
    this.#governor = new Governor(config.overheadBudget, (spacing) => {
      this.#watchdog.sampleSpacing = spacing;
    });
    this.#metrics = new Metrics(
      {
        worstLagMs: () => this.#watchdog.heartbeat.takeWorstMs(),
        loopOverheadMs: () => this.#governor.totalMs,
        threadOverheadMs: () => this.#watchdog.threadRunMs,
        forgottenSpans: () => this.spans.inFlight.forgotten,
      },
      config.maxFunctions,
    );
  }

  start(): void {
    this.#startupEndsAt = now() + this.#startupGraceMs;
    this.#governor.begin(now());
    this.#gc.start();
    this.#door?.start();
    this.#watchdog.start();
  }

  stop(): void {
    this.settleNow();
    this.#watchdog.stop();
    this.#door?.stop();
    this.#gc.stop();
    this.#escalation.stop();
    this.#metrics.stop();
    this.spans.stop();
  }

  useTracerProvider(provider: TracerProvider): void {
    this.spans.follow(provider);
  }

  useMeter(meter: Meter): void {
    this.#metrics.use(meter);
    // the API's own meter, where no SDK has set one
    this.#watchdog.tell({ metrics: meter.constructor.name !== 'NoopMeter' });
  }

  /** Settles what waits for more evidence with what there is: before the process or the SDK ends. */
  settleNow(): void {
    for (const pending of this.#pending.splice(0)) this.#settle(pending);
  }

  onSpanStart(state: SpanState, kind: SpanKind): void {
    this.sections.adopt(state);
    this.#door?.onSpanStart(state, kind);
    this.#watchdog.noteActivity();
    noteProgress(state.parent, this.#turn);
    this.#isResourceKnown ||= findResource(state.span, (resource) => this.#watchdog.tell({ resource }));
  }

  onSpanEnd(state: SpanState): void {
    const at = now();
    this.sections.endOwner(state, at);
    const { sync, span } = state;
    if (sync && span.isRecording()) {
      span.setAttribute(ATTR_SYNC_DURATION, seconds(sync.sumMs));
      span.setAttribute(ATTR_SYNC_MAX, seconds(sync.maxMs));
      span.setAttribute(ATTR_SYNC_COUNT, sync.count);
    }
    if (this.#watchdog.heartbeat.sinceBeat(at) >= this.#thresholdMs) this.#endsInStall(state, at);
    if (state.blocked) {
      this.#stall?.marks.writeEvent(state);
      for (const { stall } of this.#pending) stall.marks.writeEvent(state);
    }
    noteProgress(state, this.#turn);
    writeStalled(state);
    writeTimeout(state, at, this.#turn, this.#answers);
    // It leads to the span that it waited for, and from there on to all before: an ended span must not keep them.
    state.stalled = undefined;
    this.#metrics.countSpan(state.blocked !== undefined);
  }

  onProgress(owner: SpanState): void {
    noteProgress(owner, this.#turn);
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
      evidence: start && end && between(start, end),
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
      // A sample that was posted before an expected block began is not the active span's fault either.
      owner = section?.section.expected === undefined ? this.spans.activeState() : undefined;
      judgement = judge(frames);
    }
    if (this.#samples.length >= MAX_SAMPLES) this.#samples = this.#samples.filter((_, i) => i % 2 === 1);
    const sample = { postedAt, at, owner, judgement, frames, callback: executionAsyncId() };
    this.#samples.push(sample);
    this.#stampSample(sample);
    if (!judgement.span && isLate(sample) && !this.#governor.isThinning) this.#escalation.raise();
    if (owner && judgement.span) this.#suspects.add(owner);
    // What a marked span holds beyond that is written at its end, or at the turn's.
    if (!owner?.endIsSeen || !this.#stall?.marks.has(owner)) this.#markSoFar(at);
    const took = now() - at;
    this.#samplingMs += Math.min(SAMPLE_MAX_MS, took);
    this.#governor.spent(took, at);
  }

  /** For the thread, in case that the loop stays stuck. What a sample does not prove may be the next operation's. */
  #stampSample({ at, owner, judgement, frames }: Sample<SpanState>): void {
    const { span, code } = judgement;
    const text = `${code?.functionName ?? ''}\n${code?.file ?? ''}\n${code?.line ?? 0}\n`;
    this.#stamps.sample(at, span ? owner : undefined, span ? text + formatStack(frames) : text);
  }

  onLongTurn(turn: LongTurn): void {
    const stall = this.#stall ?? this.#newStall();
    const samples = this.#samples;
    const runs = this.sections.takeRuns();
    const evidence = this.#evidence.keep(turn, this.#samplingMs);
    this.#samples = [];
    this.#pending.push({ ...evidence, stall, runs, samples, turns: 0 });
    stall.share(turn, runs, samples);
    stall.marks.door = this.#door?.ofStall(turn.beat);
    // Spans may end right after the stall, long before it can be settled.
    this.#judge(stall, evidence.evidence, turn.to);
    this.#victims.tell(turn.from, turn.to, stall.shares, stall.record, this.#turn + 1);
    this.#governor.spent(now() - turn.to, turn.to);
  }

  onTurnEnd(): boolean {
    this.#turn++;
    if (this.#samples.length > 0) this.#samples = [];
    this.sections.clear();
    if (this.#suspects.size > 0) this.#suspects.clear();
    this.#stall = undefined;
    this.#samplingMs = 0;
    this.#evidence.beginTurn();
    if (this.#pending.length > 0) this.#settleDue();
    return this.#pending.length > 0;
  }

  #newStall(): Stall {
    const isStartup = now() < this.#startupEndsAt;
    return new Stall(this.#thresholdMs, this.spans.inFlight, this.#draw, isStartup ? STARTUP : undefined);
  }

  /** Marks, in mid-stall, every span that has held the loop for the threshold by now. */
  #markSoFar(at: number): void {
    const turn = this.#watchdog.heartbeat.currentTurn(at);
    if (turn.to - turn.from < this.#thresholdMs) return;
    this.#stall ??= this.#newStall();
    this.#stall.share(turn, this.sections.runsSoFar(at), this.#samples);
    this.#stall.marks.door = this.#door?.ofStall(turn.beat);
    this.#judge(this.#stall, this.#evidence.ofTurn(turn, this.#samplingMs), at);
  }

  /** By what is certain at that moment. */
  #judge(stall: Stall, evidence: StallEvidence, at: number): void {
    const certain = this.#watchdog.isThreadLate(at) ? withoutThread(evidence) : evidence;
    if (certain) stall.judge(certain);
  }

  /** A span ends while the loop is held: what it held, and what it lost to the others, is written now or never. */
  #endsInStall(state: SpanState, at: number): void {
    const turn = this.#watchdog.heartbeat.currentTurn(at);
    if (turn.to - turn.from < this.#thresholdMs) return;
    // Many short sections of one turn make no suspect each, but may hold the loop together. Of the others many may end in
    // one turn: what is a little out of date does for them.
    const isSuspect = this.#suspects.has(state) || (state.sync && state.sync.sumMs >= this.#thresholdMs);
    if (isSuspect || at - (this.#stall?.at ?? 0) >= this.#thresholdMs / 2) this.#markSoFar(at);
    const stall = this.#stall;
    if (stall) this.#victims.tellOne(state, turn.from, stall.at, stall.shares, stall.record, this.#turn);
  }

  #settleDue(): void {
    const at = now();
    const due: PendingStall[] = [];
    this.#pending = this.#pending.filter((pending) => {
      pending.turns++;
      const age = at - pending.turn.to;
      const isComplete = pending.turns > SETTLE_TURNS && this.#watchdog.hasThreadLookedSince(pending.turn.to);
      if (!isComplete && age < SETTLE_MAX_MS) return true;
      due.push(pending);
      return false;
    });
    for (const pending of due) this.#settle(pending);
  }

  #settle(pending: PendingStall): void {
    const { stall, turn } = pending;
    const begun = now();
    const evidence = this.#evidence.complete(pending);
    stall.share(turn, pending.runs, pending.samples);
    stall.marks.door = this.#door?.ofStall(turn.beat) ?? stall.marks.door;
    stall.judge(evidence);
    stall.marks.writeEvents();
    for (const { share, ...part } of stall.parts(evidence)) {
      const record = { ...part, section: share?.section, code: share?.code };
      this.#metrics.recordBlocked(record);
      this.#governor.stalled(`${record.cause} ${record.section?.name} ${record.code?.functionName}`, begun);
    }
    this.#governor.spent(now() - begun, begun);
  }
}
