import type { Span } from './otlp.ts';

/** The spans that loopblame made for clients' calls. */
export const clientSpansOf = (spans: readonly Span[]): Span[] =>
  spans.filter(({ scope, name }) => scope === 'loopblame' && name !== 'event_loop.stall');

/** The stalls that a span caused, as its child spans. */
export const stallsOf = (span: Span, spans: readonly Span[]): Span[] =>
  spans.filter(({ name, parentSpanId }) => name === 'event_loop.stall' && parentSpanId === span.spanId);

/** The sections that a span has as events: `node-rdkafka commitSync, call`. */
export function sectionsOf(span: Span): string[] {
  return span.events
    .filter((event) => event.name === 'event_loop.section')
    .map(({ attributes }) => `${attributes['event_loop.section.name']}, ${attributes['event_loop.section.phase']}`);
}
