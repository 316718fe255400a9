import * as semconv from '../semconv.ts';
import type { AttributeValue, TracedEvent, TracedSpan } from './spans.ts';

/**
 * What a file of traces holds.
 *
 * @since 0.1.0
 */
export interface Traces {
  readonly spans: TracedSpan[];
  /** Lines that were no JSON: the last one of a file that is being written, or one that was cut. */
  readonly badLines: number;
}

/** The request's method and route, in the stable conventions and those before them. */
export const METHODS = ['http.request.method', 'http.method'] as const;
export const ROUTE = 'http.route';
/** What tells processes apart, the best first. */
const INSTANCE = 'service.instance.id';
const PROCESS = ['host.name', 'k8s.pod.uid', 'container.id', 'process.pid'];
const SERVER = [2, 'SPAN_KIND_SERVER'];

/** All else is left out: the traces of an hour have to fit into memory. */
const KEPT = new Set<string>([...Object.values(semconv), ...METHODS, ROUTE]);
KEPT.delete(semconv.ATTR_CODE_STACKTRACE);

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, read in this file alone
type Json = any;

/**
 * The spans of one OTLP/JSON export: an `ExportTraceServiceRequest`, which is also what a line of the collector's file
 * exporter is. Of metrics and logs, which may stand in the same file, there are none.
 *
 * @throws {TypeError} when it is no OTLP/JSON
 * @since 0.1.0
 */
export function spansOf(exported: unknown): TracedSpan[] {
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) {
    throw new TypeError('loopblame: not an OTLP/JSON export');
  }
  return list((exported as Json).resourceSpans).flatMap((ofResource) => {
    const process = processOf(attributesOf(ofResource.resource?.attributes));
    return list(ofResource.scopeSpans).flatMap((ofScope) =>
      list(ofScope.spans).map((span) => tracedSpan(process, span)),
    );
  });
}

/**
 * Reads what the collector's file exporter writes: one OTLP/JSON export a line. Of Node.js's `readline` interface, or
 * whatever else gives lines. Lines that are no JSON are counted and passed over.
 *
 * @since 0.1.0
 */
export async function readTraces(lines: AsyncIterable<string> | Iterable<string>): Promise<Traces> {
  const spans: TracedSpan[] = [];
  let badLines = 0;
  for await (const line of lines) {
    if (line.trim() === '') continue;
    try {
      for (const span of spansOf(JSON.parse(line))) spans.push(span);
    } catch {
      badLines++;
    }
  }
  return { spans, badLines };
}

function tracedSpan(process: string, span: Json): TracedSpan {
  return {
    process,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || undefined,
    name: span.name,
    isServer: SERVER.includes(span.kind),
    startMs: milliseconds(span.startTimeUnixNano),
    endMs: milliseconds(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes, KEPT),
    events: list(span.events).flatMap((event): TracedEvent[] =>
      event.name === semconv.EVENT_STALL
        ? [
            {
              name: event.name,
              timeMs: milliseconds(event.timeUnixNano),
              attributes: attributesOf(event.attributes, KEPT),
            },
          ]
        : [],
    ),
  };
}

function processOf(resource: Record<string, AttributeValue>): string {
  if (resource[INSTANCE] !== undefined) return String(resource[INSTANCE]);
  const known = PROCESS.filter((name) => resource[name] !== undefined);
  return JSON.stringify(known.length > 0 ? known.map((name) => resource[name]) : resource);
}

/** A double holds a present epoch time in ms to a quarter of a microsecond, but only if it is divided as an integer. */
function milliseconds(unixNano: string | number): number {
  const nanos = BigInt(unixNano);
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
}

function attributesOf(attributes: Json, kept?: ReadonlySet<string>): Record<string, AttributeValue> {
  const found: Record<string, AttributeValue> = {};
  for (const { key, value } of list(attributes)) if (!kept || kept.has(key)) found[key] = scalar(value);
  return found;
}

function scalar(value: Json): AttributeValue {
  // 64-bit integers are strings in JSON
  if (value?.intValue !== undefined) return Number(value.intValue);
  return value?.stringValue ?? value?.doubleValue ?? value?.boolValue;
}

/** Fields without a value may be left out of OTLP/JSON. */
function list(items: Json): Json[] {
  return items ?? [];
}
