import type { Span } from './otlp.ts';

/** The sections that a span has as events: `node-rdkafka commitSync, call`. */
export function sectionsOf(span: Span): string[] {
  return span.events
    .filter((event) => event.name === 'event_loop.section')
    .map(({ attributes }) => `${attributes['event_loop.section.name']}, ${attributes['event_loop.section.phase']}`);
}
