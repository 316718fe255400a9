import { context, type Span, trace } from '@opentelemetry/api';
import type { Section } from '../sections/recorder.ts';
import { activeSpan } from '../spans/active.ts';
import { disguised } from '../wrap.ts';
import type { Call, CallbackRule } from './define.ts';
import type { ClientTools } from './tools.ts';

/** Those that we made: a client whose one method passes its callback on to another must not have it counted twice. */
const ours = new WeakSet<Function>();

/**
 * The arguments of a call with its callback, the last of them, made a section; the very same ones where there is none.
 * The callback runs in the context it would have run in, but for a span of ours that is made for it.
 *
 * @param section what the callback is, made once a patch
 * @param onCalled told of each call of the callback before it runs, and of the error that it is given first
 */
export function withCallback(
  tools: ClientTools,
  call: Call,
  rule: CallbackRule,
  section: Section,
  onCalled?: (error: unknown) => void,
): readonly unknown[] {
  const { method, args } = call;
  const callback: unknown = args.at(-1);
  if (typeof callback !== 'function' || ours.has(callback)) return args;
  const owner = rule.owner ? tools.ask(rule.owner, call) : activeSpan();

  const wrapped = disguised(callback, (self, received, wrapper) => {
    onCalled?.(received[0]);
    const { sections } = tools;
    if (!sections) return Reflect.apply(callback, self, received);
    const span = rule.span && tools.startSpan(rule.span, { method, self: call.self, args: received });
    if (!span) return sections.run(section, owner, callback, self, received, wrapper);
    return runInSpan(tools, span, () => sections.run(section, span, callback, self, received, wrapper));
  });
  ours.add(wrapped);
  return [...args.slice(0, -1), wrapped];
}

/** Runs the user's code in a span of ours, which ends with the code's synchronous part. */
export function runInSpan<T>(tools: ClientTools, span: Span, run: () => T): T {
  let failed: { error: unknown } | undefined;
  try {
    return context.with(trace.setSpan(context.active(), span), run);
  } catch (error) {
    failed = { error: error ?? 'thrown' };
    throw error;
  } finally {
    tools.endSpan(span, failed?.error);
  }
}
