/** Questions one can ask of a heap of spans. */
import { relative } from 'node:path';

const SERVER = 2;

export const isRequest = (span) => span.kind === SERVER && span.parentSpanId === undefined;
export const isBlocked = (span) => span.attributes['event_loop.blocked'] === true;

/** All spans of the traces that began with a request to this route. */
export function tracesOf(spans, route) {
  const traces = new Set(spans.filter((span) => isRequest(span) && span.name === route).map((span) => span.traceId));
  return spans.filter((span) => traces.has(span.traceId));
}

export function requestsByProcess(spans) {
  return groupBy(spans.filter(isRequest), (span) => span.pid);
}

export function groupBy(list, keyOf) {
  const groups = new Map();
  for (const item of list) {
    const key = keyOf(item);
    if (groups.has(key)) groups.get(key).push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** The stretches in which this span held its process's loop. */
export function stretchesOf(span) {
  return span.events
    .filter((event) => event.name === 'event_loop.stall')
    .map((event) => ({
      traceId: span.traceId,
      startMs: event.atMs,
      endMs: event.atMs + event.attributes['event_loop.stall.duration'] * 1000,
    }));
}

/**
 * The other requests that a stretch made wait: those of the same process that were open meanwhile. A request that the
 * blocked loop had not even read yet has no span, and is not among them.
 */
export function othersDuring(stretch, requests = []) {
  return requests.filter((request) => request.traceId !== stretch.traceId && overlapMs(stretch, request) > 0);
}

export function overlapMs(a, b) {
  return Math.min(a.endMs, b.endMs) - Math.max(a.startMs, b.startMs);
}

/** A file as it is shown: null where loopblame does not know it, and says so. */
export function shownPath(file, home) {
  return file === undefined ? null : relative(home, file);
}

/** What a blocked span says of where the loop was held. */
export function placeOf({ name, attributes }, home) {
  return {
    span: name,
    section: attributes['event_loop.blocked.section'] ?? null,
    function: attributes['code.function.name'] ?? null,
    file: shownPath(attributes['code.file.path'], home),
    line: attributes['code.line.number'] ?? null,
    cause: attributes['event_loop.blocked.cause'],
  };
}
