/** OTLP/JSON as it is sent, flattened to what a test wants to compare. Times are epoch milliseconds with fractions. */

export type Value = string | number | boolean | Value[] | { [key: string]: Value } | undefined;
export type Attributes = Record<string, Value>;

interface Origin {
  /** The instrumentation scope's name. */
  scope: string;
  resource: Attributes;
}

export interface Span extends Origin {
  name: string;
  kind: 'UNSPECIFIED' | 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER';
  traceId: string;
  spanId: string;
  /** Undefined in a root span. */
  parentSpanId: string | undefined;
  startMs: number;
  endMs: number;
  attributes: Attributes;
  events: { name: string; timeMs: number; attributes: Attributes }[];
  links: { traceId: string; spanId: string; attributes: Attributes }[];
  status: { code: 'UNSET' | 'OK' | 'ERROR'; message: string | undefined };
}

interface Point extends Origin {
  name: string;
  unit: string;
  attributes: Attributes;
  timeMs: number;
}

export interface NumberPoint extends Point {
  type: 'gauge' | 'sum';
  value: number;
}

export interface HistogramPoint extends Point {
  type: 'histogram';
  count: number;
  sum: number;
  min: number;
  max: number;
  bucketCounts: number[];
  explicitBounds: number[];
}

export type MetricPoint = NumberPoint | HistogramPoint;

export interface LogRecord extends Origin {
  timeMs: number;
  eventName: string | undefined;
  severity: string | undefined;
  body: Value;
  traceId: string | undefined;
  spanId: string | undefined;
  attributes: Attributes;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, read in this file alone
type Json = any;

const KINDS = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const;
const STATUS_CODES = ['UNSET', 'OK', 'ERROR'] as const;

export function spansOf(body: Json): Span[] {
  return scoped(body, 'resourceSpans', 'scopeSpans', 'spans').map(({ item, origin }) => ({
    ...origin,
    name: item.name,
    kind: KINDS[item.kind ?? 0] ?? 'UNSPECIFIED',
    traceId: item.traceId,
    spanId: item.spanId,
    parentSpanId: item.parentSpanId || undefined,
    startMs: millis(item.startTimeUnixNano),
    endMs: millis(item.endTimeUnixNano),
    attributes: record(item.attributes),
    events: list(item.events).map((event) => ({
      name: event.name,
      timeMs: millis(event.timeUnixNano),
      attributes: record(event.attributes),
    })),
    links: list(item.links).map((link) => ({
      traceId: link.traceId,
      spanId: link.spanId,
      attributes: record(link.attributes),
    })),
    status: { code: STATUS_CODES[item.status?.code ?? 0] ?? 'UNSET', message: item.status?.message },
  }));
}

export function metricsOf(body: Json): MetricPoint[] {
  return scoped(body, 'resourceMetrics', 'scopeMetrics', 'metrics').flatMap(({ item, origin }) => {
    const shared = (point: Json) => ({
      ...origin,
      name: item.name,
      unit: item.unit ?? '',
      attributes: record(point.attributes),
      timeMs: millis(point.timeUnixNano),
    });
    const numbers = (type: 'gauge' | 'sum') =>
      list(item[type]?.dataPoints).map(
        (point): NumberPoint => ({ ...shared(point), type, value: point.asDouble ?? Number(point.asInt) }),
      );
    const histograms = list(item.histogram?.dataPoints).map(
      (point): HistogramPoint => ({
        ...shared(point),
        type: 'histogram',
        count: Number(point.count),
        sum: point.sum,
        min: point.min,
        max: point.max,
        bucketCounts: list(point.bucketCounts).map(Number),
        explicitBounds: list(point.explicitBounds),
      }),
    );
    return [...numbers('gauge'), ...numbers('sum'), ...histograms];
  });
}

export function logsOf(body: Json): LogRecord[] {
  return scoped(body, 'resourceLogs', 'scopeLogs', 'logRecords').map(({ item, origin }) => ({
    ...origin,
    timeMs: millis(item.timeUnixNano ?? item.observedTimeUnixNano),
    eventName: item.eventName || undefined,
    severity: item.severityText,
    body: plain(item.body),
    traceId: item.traceId || undefined,
    spanId: item.spanId || undefined,
    attributes: record(item.attributes),
  }));
}

/** A double holds a present epoch time in ms to a quarter of a microsecond, but only if it is divided as an integer. */
export function millis(unixNano: string | number): number {
  const nanos = BigInt(unixNano);
  return Number(nanos / 1_000_000n) + Number(nanos % 1_000_000n) / 1e6;
}

function scoped(body: Json, ofResource: string, ofScope: string, items: string): { item: Json; origin: Origin }[] {
  return list(body[ofResource]).flatMap((byResource) =>
    list(byResource[ofScope]).flatMap((byScope) => {
      const origin = { scope: byScope.scope?.name ?? '', resource: record(byResource.resource?.attributes) };
      return list(byScope[items]).map((item) => ({ item, origin }));
    }),
  );
}

/** Fields without a value may be left out of OTLP/JSON. */
function list(items: Json): Json[] {
  return items ?? [];
}

function record(attributes: Json): Attributes {
  return Object.fromEntries(list(attributes).map(({ key, value }) => [key, plain(value)]));
}

function plain(value: Json): Value {
  if (value === undefined) return undefined;
  if ('stringValue' in value) return value.stringValue;
  if ('boolValue' in value) return value.boolValue;
  // 64-bit integers are strings in JSON
  if ('intValue' in value) return Number(value.intValue);
  if ('doubleValue' in value) return value.doubleValue;
  if ('bytesValue' in value) return value.bytesValue;
  if ('arrayValue' in value) return list(value.arrayValue.values).map(plain);
  if ('kvlistValue' in value) return record(value.kvlistValue.values);
  return undefined;
}
