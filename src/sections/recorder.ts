import type { Span } from '@opentelemetry/api';
import { now, seconds, toPerformanceTime } from '../clock.ts';
import { warnOnce } from '../log.ts';
import { ATTR_SECTION_DURATION, ATTR_SECTION_NAME, ATTR_SECTION_PHASE, EVENT_SECTION, type Phase } from '../semconv.ts';
import { SpanState, type SpanTracker } from '../spans/tracker.ts';
import type { Frame } from '../watchdog/judge.ts';
import type { StallEvidence } from '../watchdog/verdict.ts';
import { MAX_DEPTH } from './stamp-layout.ts';
import type { StampWriter } from './stamps.ts';

/** What is said of a section beyond its name. */
export interface SectionTraits {
  readonly slow?: boolean;
  readonly adopts?: string | undefined;
  readonly expected?: string;
}

/**
 * One patched call, as it is named wherever it shows up. A class, so that all are of one shape to V8: they are read at
 * each call.
 */
export class Section {
  /** `node-rdkafka commitMessageSync` */
  readonly name: string;
  readonly phase: Phase;
  /** `kafka`, `postgresql`, `sqlite`, `nodejs` */
  readonly system: string;
  /** Such a call takes milliseconds and more: the loop thread's state is read around each (some 5 µs). */
  readonly slow: boolean;
  /**
   * The instrumentation (its name) that opens a span around the user's callback: the first such span that begins within
   * the section owns it. We may stand outside of that instrumentation's wrapper, where the span is not yet there.
   */
  readonly adopts?: string | undefined;
  /** Why the application means to hold the loop here (`allowBlocking`): it is counted so, and nobody is blamed. */
  readonly expected?: string | undefined;
  /** Its number in the shared memory, once it has run (`stamps.ts`). */
  number?: number | undefined = undefined;

  constructor(name: string, phase: Phase, system: string, { slow = false, adopts, expected }: SectionTraits = {}) {
    this.name = name;
    this.phase = phase;
    this.system = system;
    this.slow = slow;
    this.adopts = adopts;
    this.expected = expected;
  }
}

/** One section that ran in the current turn. Times in ms on the monotonic clock. */
export interface SectionRun {
  readonly section: Section;
  readonly owner: SpanState | undefined;
  readonly start: number;
  end: number;
  /** Its time less that of the sections inside it. */
  own: number;
  /** Whether it stood inside no other section. */
  readonly isOutermost: boolean;
  /** How many runs, one directly after the other, are told as this one. */
  runs: number;
  /** Of a long one, what was found at its end: who called, and what the loop's thread did meanwhile. */
  details?: SectionDetails;
}

export interface SectionDetails {
  readonly stack: readonly Frame[];
  readonly evidence: StallEvidence | undefined;
}

export interface SectionListener {
  /** A section begins whose surroundings are worth a reading (see {@link Section.slow}). */
  onSlowSectionStart(): void;
  /** A span that had to wait for others was seen to go on. */
  onProgress(owner: SpanState): void;
  /** One section has held the loop by itself for at least the threshold. `wrapper`: the function that was called for it. */
  onLongSection(run: SectionRun, wrapper: Function): void;
}

/** Runs kept of one turn; of more, those over the threshold alone. */
const MAX_RUNS = 1024;

/**
 * Times synchronous sections and adds each to the span that owns it. It is called for every patched call: two clock reads,
 * two stamps in shared memory, and no allocation but for what is kept of the turn.
 */
export class SectionRecorder {
  readonly spans: SpanTracker;
  readonly #listener: SectionListener;
  readonly #thresholdMs: number;
  readonly #eventMinMs: number;
  readonly #stamps: StampWriter;

  #depth = 0;
  readonly #sections: Section[] = [];
  readonly #owners: (SpanState | undefined)[] = [];
  readonly #starts = new Float64Array(MAX_DEPTH);
  readonly #nested = new Float64Array(MAX_DEPTH);
  /** Whether a section still waits for the span that owns it. */
  readonly #adopts = new Uint8Array(MAX_DEPTH);
  #runs: SectionRun[] = [];

  constructor(
    spans: SpanTracker,
    listener: SectionListener,
    options: { thresholdMs: number; sectionEventMinMs: number },
    stamps: StampWriter,
  ) {
    this.spans = spans;
    this.#listener = listener;
    this.#thresholdMs = options.thresholdMs;
    this.#eventMinMs = options.sectionEventMinMs;
    this.#stamps = stamps;
  }

  /**
   * Runs `call` as a section of `owner`. Whatever it returns or throws passes through; `wrapper` is the function by
   * which the application called, so that its caller can be named. `startedAt`: when the work began, if it was earlier
   * in the same callback.
   */
  run<T>(
    section: Section,
    owner: Span | SpanState | undefined,
    call: Function,
    self: unknown,
    args: readonly unknown[],
    wrapper: Function,
    startedAt?: number,
  ): T {
    const depth = this.#depth;
    // What runs within an expected block is expected as well.
    const isCovered = depth === MAX_DEPTH || (depth > 0 && this.#sections[depth - 1]!.expected !== undefined);
    if (isCovered || !this.#enter(depth, section, owner, startedAt)) return Reflect.apply(call, self, args);
    try {
      return Reflect.apply(call, self, args);
    } finally {
      try {
        this.#exit(depth, now(), wrapper);
      } catch (error) {
        this.#fail(depth, error);
      }
    }
  }

  /** Whether the section has begun: what fails here must not fail the application's call. */
  #enter(depth: number, section: Section, owner: Span | SpanState | undefined, startedAt: number | undefined): boolean {
    try {
      this.#sections[depth] = section;
      this.#owners[depth] = owner && (owner instanceof SpanState ? owner : this.spans.stateOf(owner));
      this.#nested[depth] = 0;
      this.#adopts[depth] = section.adopts === undefined ? 0 : 1;
      if (section.slow) this.#listener.onSlowSectionStart();
      const start = startedAt ?? now();
      this.#starts[depth] = start;
      this.#stamps.enter(depth, section, this.#owners[depth], start);
      // Last, since a sample may come at any moment, and takes what is below the depth for in progress.
      this.#depth = depth + 1;
      return true;
    } catch (error) {
      this.#fail(depth, error);
      return false;
    }
  }

  #fail(depth: number, error: unknown): void {
    this.#depth = depth;
    warnOnce('section', 'a section cannot be told', error);
  }

  /** A span has begun: the section in progress may have waited for it. */
  adopt(state: SpanState): void {
    const depth = this.#depth - 1;
    if (depth < 0 || this.#adopts[depth] === 0 || this.#sections[depth]!.adopts !== state.scope) return;
    this.#adopts[depth] = 0;
    this.#owners[depth] = state;
    this.#stamps.own(depth, state);
  }

  /** A span ends in the midst of sections of its own: what they took so far is its, the rest is nobody's. */
  endOwner(owner: SpanState, at: number): void {
    for (let depth = 0; depth < this.#depth; depth++) {
      if (this.#owners[depth] !== owner) continue;
      this.#addTo(owner, this.#sections[depth]!, this.#starts[depth]!, this.#ownSoFar(depth, at));
    }
  }

  /** The kind of the innermost section in progress. */
  get innermost(): Section | undefined {
    return this.#depth > 0 ? this.#sections[this.#depth - 1] : undefined;
  }

  /** The innermost section in progress. */
  current(): { section: Section; owner: SpanState | undefined; start: number } | undefined {
    const depth = this.#depth - 1;
    if (depth < 0) return undefined;
    return { section: this.#sections[depth]!, owner: this.#owners[depth], start: this.#starts[depth]! };
  }

  /** What has run in this turn so far, outermost sections in progress included up to `at`. */
  runsSoFar(at: number): readonly SectionRun[] {
    if (this.#depth === 0) return this.#runs;
    const open: SectionRun[] = [];
    for (let depth = 0; depth < this.#depth; depth++) {
      open.push({
        section: this.#sections[depth]!,
        owner: this.#owners[depth],
        start: this.#starts[depth]!,
        end: at,
        own: this.#ownSoFar(depth, at),
        isOutermost: depth === 0,
        runs: 1,
      });
    }
    return this.#runs.concat(open);
  }

  /** The turn is over: gives what ran in it, and begins anew. */
  takeRuns(): SectionRun[] {
    const runs = this.#runs;
    this.#runs = [];
    return runs;
  }

  /** The turn is over and was short: forgets what ran in it. */
  clear(): void {
    // No section outlasts a turn. One may have been left open: by a stack overflow in the midst of ours.
    if (this.#depth > 0) {
      this.#depth = 0;
      this.#stamps.close();
    }
    // a new one: to set an array's length is a call into V8's runtime
    if (this.#runs.length > 0) this.#runs = [];
  }

  /** Of a section in progress, the time that is its own. */
  #ownSoFar(depth: number, at: number): number {
    const inner = depth + 1 < this.#depth ? at - this.#starts[depth + 1]! : 0;
    return Math.max(0, at - this.#starts[depth]! - this.#nested[depth]! - inner);
  }

  #exit(depth: number, end: number, wrapper: Function): void {
    this.#depth = depth;
    this.#stamps.exit(depth, end);
    const start = this.#starts[depth]!;
    const total = end - start;
    const own = Math.max(0, total - this.#nested[depth]!);
    if (depth > 0) this.#nested[depth - 1] = this.#nested[depth - 1]! + total;
    const section = this.#sections[depth]!;
    const owner = this.#owners[depth];
    this.#owners[depth] = undefined;
    if (owner && !owner.ended) this.#addTo(owner, section, start, own);
    const run = this.#keep(section, owner, start, end, own, depth === 0);
    if (own >= this.#thresholdMs) this.#listener.onLongSection(run, wrapper);
  }

  #addTo(owner: SpanState, section: Section, start: number, own: number): void {
    if (owner.stalled) this.#listener.onProgress(owner);
    const sync = owner.sync;
    if (!sync) owner.sync = { sumMs: own, maxMs: own, count: 1 };
    else {
      sync.sumMs += own;
      sync.count++;
      if (own > sync.maxMs) sync.maxMs = own;
    }
    if (own < this.#eventMinMs || !owner.span.isRecording()) return;
    owner.span.addEvent(
      EVENT_SECTION,
      {
        [ATTR_SECTION_NAME]: section.name,
        [ATTR_SECTION_PHASE]: section.phase,
        [ATTR_SECTION_DURATION]: seconds(own),
      },
      toPerformanceTime(start),
    );
  }

  #keep(
    section: Section,
    owner: SpanState | undefined,
    start: number,
    end: number,
    own: number,
    isOutermost: boolean,
  ): SectionRun {
    const last = this.#runs.at(-1);
    const isFull = this.#runs.length >= MAX_RUNS;
    if (last && last.section === section && last.owner === owner && last.isOutermost === isOutermost) {
      // Between two runs of one section for one span lies at most what that span did between them.
      if (isFull || start - last.end < 0.5) {
        last.end = end;
        last.own += own;
        last.runs++;
        return last;
      }
    }
    const run: SectionRun = { section, owner, start, end, own, isOutermost, runs: 1 };
    if (!isFull || own >= this.#thresholdMs) this.#runs.push(run);
    return run;
  }
}
