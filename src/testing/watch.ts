import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import { trace } from '@opentelemetry/api';
import { Evidence, type PendingEvidence } from '../blame/evidence.ts';
import { type Sample, type StallShares, shareStall } from '../blame/shares.ts';
import { applied } from '../clients/apply.ts';
import { builtins } from '../clients/builtin/node.ts';
import { ClientTools } from '../clients/tools.ts';
import { now } from '../clock.ts';
import { type SectionListener, SectionRecorder, type SectionRun } from '../sections/recorder.ts';
import { StampWriter } from '../sections/stamps.ts';
import { SpanTracker } from '../spans/tracker.ts';
import { GcPauses } from '../watchdog/gc.ts';
import { judge, userFrame } from '../watchdog/judge.ts';
import { StackReader } from '../watchdog/stack.ts';
import type { LongTurn } from '../watchdog/turns.ts';
import type { StallEvidence } from '../watchdog/verdict.ts';
import { between, type Reading, Watchdog, type WatchdogListener } from '../watchdog/watchdog.ts';
import type { Undo } from '../wrap.ts';
import { WATCHED_FROM_MS } from './options.ts';

/** The thread takes 35 to 140 ms to be there; on a machine that is short of CPUs, longer. */
const THREAD_START_MAX_MS = 4_000;
/** Collections are reported some turns after a hold, and the thread must have looked: turns, or ms at the latest. */
const SETTLE_TURNS = 4;
const SETTLE_MAX_MS = 250;
const MAX_SAMPLES = 256;
/** Holds remembered; whoever waits for them asks after each test. */
const MAX_HOLDS = 256;
/** The evaluated expression itself is a frame. */
const INSPECTOR_FRAMES = 1;
const SAMPLE_MAX_MS = 1;

// Taken once, before any test library can replace them by fake ones.
const { setImmediate, setTimeout } = timers;
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** One turn of the loop that held it for long, and who did so. Times in ms on the monotonic clock. */
export interface Hold {
  readonly from: number;
  readonly to: number;
  readonly evidence: StallEvidence;
  readonly shares: StallShares<never>;
}

interface PendingHold extends PendingEvidence {
  readonly runs: readonly SectionRun[];
  readonly samples: readonly Sample<never>[];
  turns: number;
}

/** Spans are none of a test's business: nothing is looked up, nothing marked, and each share is a function's. */
class SpanlessRecorder extends SectionRecorder {
  override run<T>(...args: Parameters<SectionRecorder['run']>): T {
    args[1] = undefined;
    return super.run<T>(...args);
  }
}

/** Watches the loop that it is started on as the instrumentation does, but without spans and metrics. */
export class LoopWatch implements WatchdogListener, SectionListener {
  readonly sections: SectionRecorder;
  readonly #watchdog: Watchdog;
  readonly #gc = new GcPauses();
  readonly #stack = new StackReader();
  readonly #evidence: Evidence;
  readonly #undos: Undo[] = [];
  #samples: Sample<never>[] = [];
  #samplingMs = 0;
  #slowStart: Reading | undefined;
  #pending: PendingHold[] = [];
  #holds: Hold[] = [];
  #waiting: (() => void)[] = [];

  constructor() {
    const spans = new SpanTracker({ onSpanStart: () => {}, onSpanEnd: () => {} });
    const options = { thresholdMs: WATCHED_FROM_MS, sectionEventMinMs: Number.POSITIVE_INFINITY };
    this.sections = new SpanlessRecorder(spans, this, options, new StampWriter(() => {}));
    this.#watchdog = new Watchdog(this, { thresholdMs: WATCHED_FROM_MS, sampling: true });
    this.#evidence = new Evidence(this.#watchdog, this.#gc);
  }

  /** Resolves when the thread is up, so that the next hold is met; at the latest after some seconds. */
  async start(): Promise<void> {
    const from = now();
    this.#gc.start();
    this.#patch();
    this.#watchdog.start();
    while (!this.#watchdog.hasThreadLookedSince(from) && now() - from < THREAD_START_MAX_MS) await pause(2);
    await this.nextTurn();
  }

  stop(): void {
    for (const undo of this.#undos.splice(0).reverse()) undo();
    syncBuiltinESMExports();
    this.#watchdog.stop();
    this.#gc.stop();
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Resolves right after the current turn's end: what runs then is in a turn of its own. */
  nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      // The beat itself keeps no loop awake.
      setImmediate(() => {});
    });
  }

  /** What has held the loop since then, the current turn included: it ends first. */
  async holdsSince(at: number): Promise<Hold[]> {
    await this.nextTurn();
    while (this.#pending.some(({ turn }) => turn.to > at)) {
      await pause(1);
      await this.nextTurn();
    }
    return this.#holds.filter((hold) => hold.to > at);
  }

  onSlowSectionStart(): void {
    this.#watchdog.noteActivity();
    this.#slowStart = this.#watchdog.read();
  }

  onProgress(): void {}

  onLongSection(run: SectionRun, wrapper: Function): void {
    const start = this.#slowStart;
    const end = run.section.slow && start && start.after <= run.end ? this.#watchdog.read() : undefined;
    run.details = {
      stack: this.#stack.frames(wrapper),
      evidence: start && end && between(start, end),
    };
  }

  onSample(postedAt: number, at: number, sampler: Function): void {
    const frames = this.#stack.frames(sampler, INSPECTOR_FRAMES);
    const section = this.sections.current();
    const isInSection = section !== undefined && section.start <= postedAt;
    const judgement = isInSection ? { span: true, code: userFrame(frames), why: 'encloses' as const } : judge(frames);
    if (this.#samples.length >= MAX_SAMPLES) this.#samples = this.#samples.filter((_, i) => i % 2 === 1);
    this.#samples.push({ postedAt, at, owner: undefined, judgement, frames, callback: 0 });
    this.#samplingMs += Math.min(SAMPLE_MAX_MS, now() - at);
  }

  onLongTurn(turn: LongTurn): void {
    const evidence = this.#evidence.keep(turn, this.#samplingMs);
    this.#pending.push({ ...evidence, runs: this.sections.takeRuns(), samples: this.#samples, turns: 0 });
    this.#samples = [];
  }

  onTurnEnd(): boolean {
    if (this.#samples.length > 0) this.#samples = [];
    this.sections.clear();
    this.#samplingMs = 0;
    this.#evidence.beginTurn();
    if (this.#pending.length > 0) this.#settleDue();
    for (const go of this.#waiting.splice(0)) go();
    return this.#pending.length > 0;
  }

  #settleDue(): void {
    const at = now();
    this.#pending = this.#pending.filter((pending) => {
      const { turn, runs, samples } = pending;
      pending.turns++;
      const isDue = pending.turns > SETTLE_TURNS && this.#watchdog.hasThreadLookedSince(turn.to);
      if (!isDue && at - turn.to < SETTLE_MAX_MS) return true;
      const shares = shareStall<never>(turn, runs as readonly (SectionRun & { owner: undefined })[], samples, () => 0);
      this.#holds.push({ from: turn.from, to: turn.to, evidence: this.#evidence.complete(pending), shares });
      if (this.#holds.length > MAX_HOLDS) this.#holds.shift();
      return false;
    });
  }

  /** Node's own synchronous calls become sections: a native call that ends a callback can't be named otherwise. */
  #patch(): void {
    const options = { recorder: () => this.sections, clientSpans: false, tracer: () => trace.getTracer('loopblame') };
    for (const client of builtins) {
      const exports = client.builtin?.();
      if (!exports) continue;
      const tools = new ClientTools(client, options);
      for (const patch of client.patches) {
        if ('exported' in patch || 'starts' in patch) continue;
        for (const undo of applied(patch, exports, tools)) if (undo) this.#undos.push(undo);
      }
    }
    syncBuiltinESMExports();
  }
}
