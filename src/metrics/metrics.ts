import type { Attributes, Counter, Histogram, Meter, ObservableResult } from '@opentelemetry/api';
import { ownThreadAttributes } from '../loop-thread.ts';
import type { Section } from '../sections/recorder.ts';
import * as semconv from '../semconv.ts';
import type { Frame } from '../watchdog/judge.ts';

/** Seconds: from the smallest threshold to a minute, dense where blocks usually are. */
const BLOCKED_BOUNDARIES = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60];

/** The value of `code.function.name` for functions over the limit. */
const OTHER_FUNCTION = '_OTHER';

/** What a recording of `event_loop.blocked.duration` is told apart by. */
export interface BlockedRecord {
  readonly ms: number;
  readonly cause: semconv.Cause;
  readonly section?: Section | undefined;
  readonly code?: Frame | undefined;
  /** Request-milliseconds that others lost meanwhile. */
  readonly harmMs: number;
  /** What took the CPU, where the loop got none. */
  readonly starvedBy?: string | undefined;
  /** Why the application meant to hold the loop, where it did. */
  readonly expected?: string | undefined;
}

/** Where the figures that are only read on request come from, in milliseconds. */
export interface MetricSources {
  /** The longest time since its last call for which the loop answered nobody. */
  worstLagMs(): number;
  /** What we have taken of the loop's time, and of a thread of our own, since the start. */
  loopOverheadMs(): number;
  /** `undefined` where another loop's process-wide thread is used, which counts it. */
  threadOverheadMs(): number | undefined;
  /** Spans that were in flight when too many were. */
  forgottenSpans(): number;
}

/** The metrics. They count every span and every stall, however traces are sampled. */
export class Metrics {
  readonly #sources: MetricSources;
  readonly #maxFunctions: number;
  readonly #functions = new Set<string>();
  #blocked: Histogram | undefined;
  #stalled: Counter | undefined;
  #unhook: (() => void) | undefined;
  #spans = 0;
  #blockedSpans = 0;

  constructor(sources: MetricSources, maxFunctions: number) {
    this.#sources = sources;
    this.#maxFunctions = maxFunctions;
  }

  /** Makes the instruments; again whenever the application sets another meter provider. */
  use(meter: Meter): void {
    this.stop();
    this.#blocked = meter.createHistogram(semconv.METRIC_BLOCKED_DURATION, {
      unit: 's',
      description: 'How long stretches that held the event loop over the threshold were.',
      advice: { explicitBucketBoundaries: BLOCKED_BOUNDARIES },
    });
    this.#stalled = meter.createCounter(semconv.METRIC_STALLED_TIME, {
      unit: 's',
      description: 'Time that other requests under way lost while the event loop was held.',
    });
    const lag = meter.createObservableGauge(semconv.METRIC_LAG, {
      unit: 's',
      description: semconv.LAG_DESCRIPTION,
    });
    const spans = meter.createObservableCounter(semconv.METRIC_SPANS, {
      unit: '{span}',
      description: 'Spans that ended, by whether they blocked the event loop.',
    });
    const observeLag = (result: ObservableResult): void =>
      result.observe(this.#sources.worstLagMs() / 1e3, ownThreadAttributes);
    const observeSpans = (result: ObservableResult): void => {
      result.observe(this.#blockedSpans, { [semconv.ATTR_BLOCKED]: true, ...ownThreadAttributes });
      result.observe(this.#spans - this.#blockedSpans, { [semconv.ATTR_BLOCKED]: false, ...ownThreadAttributes });
    };
    const overhead = meter.createObservableCounter(semconv.METRIC_OVERHEAD, {
      unit: 's',
      description: 'CPU time that loopblame has taken: on the loop for samples and stalls, and of its own thread.',
    });
    const observeOverhead = (result: ObservableResult): void => {
      result.observe(this.#sources.loopOverheadMs() / 1e3, {
        [semconv.ATTR_OVERHEAD_PART]: 'loop',
        ...ownThreadAttributes,
      });
      const threadMs = this.#sources.threadOverheadMs();
      if (threadMs === undefined) return;
      result.observe(threadMs / 1e3, { [semconv.ATTR_OVERHEAD_PART]: 'thread', ...ownThreadAttributes });
    };
    const forgotten = meter.createObservableCounter(semconv.METRIC_FORGOTTEN, {
      unit: '{span}',
      description: 'Spans that were forgotten because too many were in flight: they are not told what they waited for.',
    });
    const observeForgotten = (result: ObservableResult): void =>
      result.observe(this.#sources.forgottenSpans(), ownThreadAttributes);
    forgotten.addCallback(observeForgotten);
    overhead.addCallback(observeOverhead);
    lag.addCallback(observeLag);
    spans.addCallback(observeSpans);
    this.#unhook = () => {
      forgotten.removeCallback(observeForgotten);
      overhead.removeCallback(observeOverhead);
      lag.removeCallback(observeLag);
      spans.removeCallback(observeSpans);
    };
  }

  stop(): void {
    this.#unhook?.();
    this.#unhook = undefined;
    this.#blocked = this.#stalled = undefined;
  }

  countSpan(blocked: boolean): void {
    this.#spans++;
    if (blocked) this.#blockedSpans++;
  }

  recordBlocked({ ms, cause, section, code, harmMs, starvedBy, expected }: BlockedRecord): void {
    const attributes: Attributes = { [semconv.ATTR_BLOCKED_CAUSE]: cause, ...ownThreadAttributes };
    if (section) {
      attributes[semconv.ATTR_BLOCKED_SECTION] = section.name;
      attributes[semconv.ATTR_SECTION_SYSTEM] = section.system;
    }
    if (code) attributes[semconv.ATTR_CODE_FUNCTION_NAME] = this.#bounded(code.functionName);
    if (starvedBy) attributes[semconv.ATTR_BLOCKED_STARVED_BY] = starvedBy;
    if (expected !== undefined) attributes[semconv.ATTR_BLOCKED_EXPECTED] = this.#bounded(expected);
    this.#blocked?.record(ms / 1e3, attributes);
    this.#stalled?.add(harmMs / 1e3, attributes);
  }

  /** Function names and reasons come from code, so their number must be bounded. */
  #bounded(name: string): string {
    if (!this.#functions.has(name)) {
      if (this.#functions.size >= this.#maxFunctions) return OTHER_FUNCTION;
      this.#functions.add(name);
    }
    return name;
  }
}
