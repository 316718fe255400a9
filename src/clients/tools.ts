import { context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { warnOnce } from '../log.ts';
import { Section, type SectionRecorder, type SectionTraits } from '../sections/recorder.ts';
import type { Phase } from '../semconv.ts';
import { activeSpan } from '../spans/active.ts';
import { disguised, replaceMethod, type Undo } from '../wrap.ts';
import { withCallback } from './callbacks.ts';
import type { Call, CallRule, ClientDefinition, SpanRule } from './define.ts';
import type { WorkStart } from './work-start.ts';

export { activeSpan };

export interface ToolOptions {
  /** `undefined` while loopblame is off: what it has wrapped by then passes straight through. */
  recorder: () => SectionRecorder | undefined;
  clientSpans: boolean;
  tracer: () => Tracer;
}

/** What a client's patches are made with. Its own code is the table and the little that no table can say. */
export class ClientTools {
  readonly clientSpans: boolean;
  readonly #client: ClientDefinition;
  readonly #options: ToolOptions;
  /** Spans that a callback has ended, before or after its call returned or threw. */
  readonly #endedByCallback = new WeakSet<Span>();
  /** How many calls with a span of ours are running, one inside the other. */
  #inSpans = 0;

  constructor(client: ClientDefinition, options: ToolOptions) {
    this.#client = client;
    this.#options = options;
    this.clientSpans = options.clientSpans;
  }

  /** Ask at each call: a wrapper may outlive the recorder, and meet the next one. */
  get sections(): SectionRecorder | undefined {
    return this.#options.recorder();
  }

  /** A section of this client; make it once a patch, not once a call. */
  section(method: string, phase: Phase, traits?: Pick<SectionTraits, 'slow' | 'adopts'>): Section {
    const { system, module, prefix = `${module} ` } = this.#client;
    return new Section(`${prefix}${method}`, phase, system, traits);
  }

  /** Patches the methods of an object as the table says. */
  patchCalls(
    target: object | undefined,
    calls: readonly string[],
    rule: CallRule & { as?: string },
  ): (Undo | undefined)[] {
    if (!target) return [];
    return calls.map((method) =>
      replaceMethod(target, method, (original) => this.wrapCall(original, rule.as ?? method, rule)),
    );
  }

  /** A function that runs `original` as a section, in a span of ours where the rule has one. */
  wrapCall(original: Function, method: string, rule: CallRule): Function {
    const section = this.section(method, rule.phase, rule);
    const callbackSection = this.section(method, 'callback');
    const { when, callback, keep, since, outermost = false } = rule;
    return disguised(original, (self, args, wrapper) => {
      const { sections } = this;
      if (!sections || (outermost && sections.innermost?.system === section.system)) {
        return Reflect.apply(original, self, args);
      }
      const call: Call = { method, self, args };
      if (when && !this.ask(when, call)) return Reflect.apply(original, self, args);
      const span = rule.span && this.startSpan(rule.span, call);
      const endsByCallback = span && rule.span?.ends === 'callback';
      const end = endsByCallback ? (error: unknown) => this.#endByCallback(span, error, rule.span) : undefined;
      const passed = callback ? withCallback(this, call, callback, callbackSection, end) : args;
      if (span) {
        const isEndedLater = endsByCallback && passed !== args;
        return this.#inSpan(span, rule, section, sections, call, passed, isEndedLater, original, wrapper);
      }
      const owner = rule.owner ? this.ask(rule.owner, call) : activeSpan();
      const result = sections.run(section, owner, original, self, passed, wrapper, since?.take());
      if (keep) this.ask(() => keep(call, owner, false), call);
      return result;
    });
  }

  /** A function that notes when it was first called, and does nothing else. */
  wrapStart(original: Function, start: WorkStart): Function {
    return disguised(original, (self, args) => {
      if (this.sections) start.note();
      return Reflect.apply(original, self, args);
    });
  }

  /** Runs the call in the client's span, and ends the span when the call or its callback has ended. */
  #inSpan(
    span: Span,
    rule: CallRule,
    section: Section,
    sections: SectionRecorder,
    call: Call,
    passed: readonly unknown[],
    isEndedLater: boolean | undefined,
    original: Function,
    wrapper: Function,
  ): unknown {
    let result: unknown;
    this.#inSpans++;
    try {
      result = context.with(trace.setSpan(context.active(), span), () =>
        sections.run(section, span, original, call.self, passed, wrapper, rule.since?.take()),
      );
    } catch (error) {
      if (!this.#endedByCallback.has(span)) this.endSpan(span, error ?? 'thrown', rule.span);
      throw error;
    } finally {
      this.#inSpans--;
    }
    const { keep } = rule;
    if (isEndedLater || (keep && this.ask(() => keep(call, span, true), call))) return result;
    this.endSpan(span);
    return result;
  }

  /** A rule's answer. A rule that fails must not fail the application's call: it counts as no answer. */
  ask<T>(rule: (call: Call) => T, call: Call): T | undefined {
    try {
      return rule(call);
    } catch (error) {
      const { module } = this.#client;
      warnOnce(`rule ${module} ${call.method}`, `what ${module} ${call.method} was called with cannot be read`, error);
      return undefined;
    }
  }

  /** The client's span, where the option `clientSpans` and the rule have one for this call. */
  startSpan(rule: SpanRule, call: Call): Span | undefined {
    if (!this.clientSpans || (rule.outermost && this.#inSpans > 0)) return undefined;
    if (rule.when && !this.ask(rule.when, call)) return undefined;
    return this.ask(
      () => this.#options.tracer().startSpan(rule.name(call), { kind: rule.kind, attributes: rule.attributes(call) }),
      call,
    );
  }

  /** Its callback is called: with an error first, if it failed. */
  #endByCallback(span: Span, error: unknown, rule: SpanRule | undefined): void {
    if (this.#endedByCallback.has(span)) return;
    this.#endedByCallback.add(span);
    this.endSpan(span, error || undefined, rule);
  }

  /** Ends a client's span; with an error, as one that failed. */
  endSpan(span: Span, error?: unknown, rule?: SpanRule): void {
    try {
      if (error !== undefined) setFailure(span, error, rule?.failure);
      span.end();
    } catch (failure) {
      warnOnce(`end ${this.#client.module}`, `a span of ${this.#client.module} cannot be ended`, failure);
    }
  }
}

function setFailure(span: Span, error: unknown, describe: SpanRule['failure']): void {
  if (describe) {
    span.setAttributes(describe(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    return;
  }
  const type = error instanceof Error ? ((error as { code?: unknown }).code ?? error.name) : '_OTHER';
  span.setAttribute('error.type', String(type));
  span.setStatus({ code: SpanStatusCode.ERROR, ...(error instanceof Error && { message: error.message }) });
}
