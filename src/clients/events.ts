import { activeSpan } from '../spans/active.ts';
import { disguised, replaceMethod, type Undo } from '../wrap.ts';
import { runInSpan } from './callbacks.ts';
import type { Call, EventRule } from './define.ts';
import type { ClientTools } from './tools.ts';

/**
 * Makes sections of what listeners of an emitter's events do. It is `emit` that is patched, as an own method of the
 * emitter's class: `on`, `once`, `off` and `listeners()` go on with the very functions that the application gave.
 */
export function patchEvents(
  tools: ClientTools,
  target: object | undefined,
  events: Readonly<Record<string, EventRule>>,
): (Undo | undefined)[] {
  if (!target) return [];
  const known = new Map(
    Object.entries(events).map(([event, rule]) => [event, { rule, section: tools.section(event, 'callback') }]),
  );
  const undo = replaceMethod(target, 'emit', (emit) =>
    disguised(emit, (self, args, wrapper) => {
      const { sections } = tools;
      const event = sections && known.get(args[0] as string);
      if (!sections || !event) return Reflect.apply(emit, self, args);
      const { rule, section } = event;
      const call: Call = { method: args[0] as string, self, args: args.slice(1) };
      try {
        if (!(self as Listened | undefined)?.listenerCount?.(call.method)) return Reflect.apply(emit, self, args);
        const span = rule.span && tools.startSpan(rule.span, call);
        if (span) return runInSpan(tools, span, () => sections.run(section, span, emit, self, args, wrapper));
        const owner = rule.owner ? tools.ask(rule.owner, call) : activeSpan();
        return sections.run(section, owner, emit, self, args, wrapper);
      } finally {
        if (rule.after) tools.ask(rule.after, call);
      }
    }),
  );
  return [undo];
}

interface Listened {
  listenerCount?(event: string): number;
}
