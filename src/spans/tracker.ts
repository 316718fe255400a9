import type { Attributes, Span, SpanKind, SpanOptions, TracerProvider } from '@opentelemetry/api';
import type { StalledTotals } from '../blame/victims.ts';
import { now } from '../clock.ts';
import { warnOnce } from '../log.ts';
import { contextApi, INTERNAL, traceApi } from '../otel-api.ts';
import { replaceMethod, type Undo } from '../wrap.ts';
import { activeSpan } from './active.ts';
import { SpansInFlight } from './in-flight.ts';
import { createSpanStamps, type SpanStamps } from './stamps.ts';

/** The sums that a span's attributes are written from, in milliseconds. */
export interface BlockedTotals {
  durationMs: number;
  maxMs: number;
  count: number;
  /** The most other requests that stood still for one of its stretches, and what all of them lost. */
  victims: number;
  harmMs: number;
  /** Attributes of its longest stretch that were written, each emptied: those that a longer one lacks must go. */
  told: Attributes;
}

/** What is known of one span in this process. */
export class SpanState {
  readonly span: Span;
  /** The span of this process at the top of its trace: the request, the message, the job. Itself where it is that. */
  readonly root: SpanState;
  readonly startedAt: number;
  /** The name of the instrumentation that made it; `undefined` where that was not seen. */
  readonly scope: string | undefined;
  ended = false;
  /** Its number in the shared memory, once it had a section (`stamps.ts`); 0 before. */
  number = 0;
  /** Whether its end will be seen, so that what is written once can wait until then. */
  readonly endIsSeen: boolean;
  /** Its synchronous sections; `undefined` while it has none. */
  sync: { sumMs: number; maxMs: number; count: number } | undefined;
  /** Stalls that are settled; `undefined` where it blocked never. */
  blocked: BlockedTotals | undefined;
  /** What it and the spans under it blocked, if it is a local root. */
  belowMs = 0;
  /** What it lost to stalls that others caused; `undefined` where it never did. */
  stalled: StalledTotals | undefined;
  /** The span that it was started under, if that is one of this process. */
  parent: SpanState | undefined;

  // Its place among the spans in flight
  inFlight = false;
  previous: SpanState | undefined;
  next: SpanState | undefined;

  constructor(span: Span, parent: SpanState | undefined, startedAt: number, endIsSeen: boolean, scope?: string) {
    this.span = span;
    this.parent = living(parent);
    this.root = parent?.root ?? this;
    this.startedAt = startedAt;
    this.endIsSeen = endIsSeen;
    this.scope = scope;
  }
}

export interface SpanListener {
  onSpanStart(state: SpanState, kind: SpanKind): void;
  /** The span is about to end: attributes can still be set. */
  onSpanEnd(state: SpanState): void;
}

interface Delegating {
  getDelegate?(): TracerProvider;
  setDelegate?(provider: TracerProvider): void;
}

/**
 * Sees every span of the process start and end, whoever makes it and whether it is sampled or not: by the tracer's own
 * `startSpan` and the spans' own `end`, since a span processor must be given to the SDK by the user and never sees a span
 * that is sampled out.
 */
export class SpanTracker {
  readonly inFlight: SpansInFlight = new SpansInFlight();
  readonly #listener: SpanListener;
  #isFollowing = true;
  /** Somebody may have wrapped what we have, so that our wrappers stay in place when all is over. */
  #isStopped = false;
  readonly #states: SpanStamps = createSpanStamps();
  readonly #hooked = new WeakSet<object>();
  readonly #undos: Undo[] = [];
  #lastStarted: SpanState | undefined;
  #parentOfLast: Span | undefined;
  /** The class of the last span whose `end` was found hooked: spans are of one class, as a rule. */
  #hookedClass: unknown;

  constructor(listener: SpanListener) {
    this.#listener = listener;
  }

  /** Follows a provider. Where it is a proxy without a delegate yet, as soon as the SDK sets one. */
  follow(provider: TracerProvider): void {
    const proxy = provider as TracerProvider & Delegating;
    const delegate = proxy.getDelegate?.();
    if (!delegate || delegate === provider) {
      this.#hookTracer(provider);
      return;
    }
    this.#hookTracer(delegate);
    if (this.#hooked.has(proxy)) return;
    this.#hooked.add(proxy);
    const undo = replaceMethod(proxy, 'setDelegate', (setDelegate) => {
      const follow = (real: TracerProvider): void => this.#hookTracer(real);
      return function (this: unknown, ...args: unknown[]) {
        const result = Reflect.apply(setDelegate, this, args);
        follow(args[0] as TracerProvider);
        return result;
      };
    });
    if (undo) this.#undos.push(undo);
  }

  /** What is known of a span; a span that was started unseen is known from now on. */
  stateOf(span: Span): SpanState {
    const known = this.#states.get(span);
    if (known) return known;
    const state = new SpanState(span, undefined, now(), this.#hookEnd(span));
    this.#states.set(span, state);
    return state;
  }

  /** The state of the active span, if there is one that was really started. */
  activeState(): SpanState | undefined {
    const span = activeSpan();
    return span && traceApi.isSpanContextValid(span.spanContext()) ? this.stateOf(span) : undefined;
  }

  /**
   * The span that an instrumentation of that scope has just started under the active one, though without making it active
   * itself: the last span that was started at all, and not yet ended.
   */
  startedJustNow(scope: string): Span | undefined {
    const last = this.#lastStarted;
    if (last?.scope !== scope || last.ended || this.#parentOfLast !== activeSpan()) return undefined;
    return last.span;
  }

  /** Makes spans of our own that are no part of what is watched. */
  unfollowed(make: () => void): void {
    this.#isFollowing = false;
    try {
      make();
    } finally {
      this.#isFollowing = true;
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.inFlight.clear();
    this.#lastStarted = this.#parentOfLast = this.#hookedClass = undefined;
    for (const undo of this.#undos.splice(0)) undo();
  }

  #hookTracer(provider: TracerProvider): void {
    // What a proxy gives before an SDK is there: its spans are none.
    if (provider.constructor?.name === 'NoopTracerProvider') return;
    try {
      const tracer: object = provider.getTracer('loopblame');
      const prototype = ownerOf(tracer, 'startSpan');
      if (!prototype || this.#hooked.has(prototype)) return;
      this.#hooked.add(prototype);
      const started = (tracer: object, span: Span, options: unknown, parent: unknown): void =>
        this.#started(tracer, span, options, parent);
      const undo = replaceMethod(prototype, 'startSpan', (startSpan) => {
        return function (this: object, _name: unknown, options: unknown, parent: unknown) {
          // biome-ignore lint/complexity/noArguments: whatever a newer SDK takes is passed on, without a list for each span
          const span = Reflect.apply(startSpan, this, arguments) as Span;
          started(this, span, options, parent);
          return span;
        };
      });
      if (undo) this.#undos.push(undo);
    } catch (error) {
      warnOnce('tracer', 'spans cannot be followed', error);
    }
  }

  #started(tracer: object, span: Span, options: unknown, parentContext: unknown): void {
    if (!this.#isFollowing || this.#isStopped) return;
    try {
      // A span that records has a valid context, whose check is two regular expressions.
      if (!(span.isRecording() || traceApi.isSpanContextValid(span.spanContext()))) return;
      const { root, kind } = (options ?? {}) as SpanOptions;
      const parent = root ? undefined : traceApi.getSpan((parentContext as undefined) ?? contextApi.active());
      const { instrumentationScope } = tracer as { instrumentationScope?: { name?: string } };
      const known = parent && this.#states.get(parent);
      // Spans that have ended must not be kept by those under them, in a job that begins anew within itself for ever.
      if (known) known.parent = living(known.parent);
      const state = new SpanState(span, known, now(), this.#hookEnd(span), instrumentationScope?.name);
      // One tracer may ask another one.
      if (!this.#states.add(span, state)) return;
      if (state.endIsSeen) this.inFlight.add(state);
      this.#lastStarted = state;
      this.#parentOfLast = parent;
      this.#listener.onSpanStart(state, kind ?? INTERNAL);
    } catch (error) {
      warnOnce('span', 'a span cannot be followed', error);
    }
  }

  /** Hooks the `end` of the span's class, once a class. */
  #hookEnd(span: Span): boolean {
    const spanClass: unknown = Object.getPrototypeOf(span);
    if (spanClass === this.#hookedClass) return true;
    const prototype = ownerOf(span, 'end');
    if (!prototype) return false;
    if (this.#hooked.has(prototype)) {
      this.#hookedClass = spanClass;
      return true;
    }
    const ending = (ended: object): void => this.#ending(ended);
    const undo = replaceMethod(prototype, 'end', (end) => {
      return function (this: object) {
        ending(this);
        // biome-ignore lint/complexity/noArguments: whatever a newer SDK takes is passed on, without a list for each span
        return Reflect.apply(end, this, arguments);
      };
    });
    if (!undo) return false;
    this.#hooked.add(prototype);
    this.#undos.push(undo);
    return true;
  }

  #ending(span: object): void {
    const state = this.#states.get(span);
    if (!state || state.ended || this.#isStopped) return;
    try {
      this.#listener.onSpanEnd(state);
    } catch (error) {
      warnOnce('span-end', 'what a span blocked cannot be written to it', error);
    }
    state.ended = true;
    this.inFlight.delete(state);
  }
}

/** The nearest span upwards that has not ended. */
function living(state: SpanState | undefined): SpanState | undefined {
  let at = state;
  while (at?.ended) at = at.parent;
  return at;
}

/** The object of the prototype chain that has the method as its own. */
function ownerOf(object: object, method: string): object | undefined {
  for (let at: object | null = object; at; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
