import { context, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import type { Section, SectionRecorder } from '../sections/recorder.ts';
import type { Phase } from '../semconv.ts';
import { replaceMethod, type Undo } from '../wrap.ts';
import type { Call, CallsPatch, ClientDefinition, SpanRule } from './define.ts';

/** The active span, whoever made it. */
export const activeSpan = (): Span | undefined => trace.getActiveSpan();

/** What a client's patches are made with. Its own code is the table and the little that no table can say. */
export class ClientTools {
  readonly sections: SectionRecorder;
  readonly clientSpans: boolean;
  readonly #client: ClientDefinition;
  readonly #tracer: () => Tracer;

  constructor(
    client: ClientDefinition,
    sections: SectionRecorder,
    options: { clientSpans: boolean; tracer: () => Tracer },
  ) {
    this.#client = client;
    this.sections = sections;
    this.clientSpans = options.clientSpans;
    this.#tracer = options.tracer;
  }

  get tracer(): Tracer {
    return this.#tracer();
  }

  /** A section of this client; make it once a patch, not once a call. */
  section(method: string, phase: Phase, slow = false): Section {
    const { system, module, prefix = `${module} ` } = this.#client;
    return { name: `${prefix}${method}`, phase, system, slow };
  }

  /** Patches the methods of an object as the table says. */
  patchCalls(target: object | undefined, rule: Omit<CallsPatch, 'of' | 'in'>): (Undo | undefined)[] {
    if (!target) return [];
    return rule.calls.map((method) =>
      replaceMethod(target, method, (original) => this.wrapCall(original, method, rule)),
    );
  }

  /** A function that runs `original` as a section, in a span of ours where the rule has one. */
  wrapCall(original: Function, method: string, rule: Omit<CallsPatch, 'of' | 'in' | 'calls'>): Function {
    const section = this.section(method, rule.phase, rule.slow);
    const { sections } = this;
    const { when, owner } = rule;
    const span = this.clientSpans ? rule.span : undefined;
    const tools = this;
    const wrapper = function (this: unknown, ...args: unknown[]): unknown {
      // A patched function may be a constructor to somebody.
      if (new.target) return Reflect.construct(original, args, new.target === wrapper ? original : new.target);
      const call: Call = { method, self: this, args };
      if (when && !when(call)) return Reflect.apply(original, this, args);
      if (span) return tools.#inSpan(span, section, call, original, wrapper);
      return sections.run(section, owner ? owner(call) : trace.getActiveSpan(), original, this, args, wrapper);
    };
    return wrapper;
  }

  /** Opens the client's span, runs the call in it, ends it when the call (or its promise) has ended. */
  #inSpan(rule: SpanRule, section: Section, call: Call, original: Function, wrapper: Function): unknown {
    const span = this.startSpan(rule, call);
    let result: unknown;
    try {
      result = context.with(trace.setSpan(context.active(), span), () =>
        this.sections.run(section, span, original, call.self, call.args, wrapper),
      );
    } catch (error) {
      this.endSpan(span, error);
      throw error;
    }
    if (rule.ends === 'promise' && isThenable(result)) {
      // A branch of its own: the caller keeps the very promise that the client made.
      result.then(
        () => this.endSpan(span),
        (error) => this.endSpan(span, error ?? new Error('rejected')),
      );
    } else this.endSpan(span);
    return result;
  }

  startSpan(rule: SpanRule, call: Call): Span {
    return this.tracer.startSpan(rule.name(call), { kind: rule.kind, attributes: rule.attributes(call) });
  }

  /** Ends a client's span; with an error, as one that failed. */
  endSpan(span: Span, error?: unknown): void {
    if (error !== undefined) {
      const type = error instanceof Error ? ((error as { code?: unknown }).code ?? error.name) : '_OTHER';
      span.setAttribute('error.type', String(type));
      span.setStatus({ code: SpanStatusCode.ERROR, ...(error instanceof Error && { message: error.message }) });
    }
    span.end();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
