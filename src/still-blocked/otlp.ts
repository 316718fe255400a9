/**
 * OTLP/JSON, as far as the thread speaks it: one log record, one gauge. No package makes these requests without an SDK,
 * whose exporters run on the loop that is blocked.
 */

/** A number that is one with a fraction by what it means: as 2 it must not become an integer, another type to backends. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export type AttributeValue = string | number | Double | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

export interface Origin {
  readonly resource: Attributes;
  readonly scope: { readonly name: string; readonly version: string };
}

export interface LogRecord {
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly severity: 'INFO' | 'WARN' | 'ERROR';
  readonly eventName: string;
  readonly body: string;
  readonly attributes: Attributes;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly traceFlags?: number | undefined;
}

export interface Gauge {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly value: number;
  readonly attributes: Attributes;
}

const SEVERITY_NUMBERS = { INFO: 9, WARN: 13, ERROR: 17 } as const;

export function logsRequest({ resource, scope }: Origin, record: LogRecord): object {
  const { timeMs, severity, eventName, body, attributes, traceId, spanId, traceFlags } = record;
  const logRecord = {
    timeUnixNano: nanos(timeMs),
    observedTimeUnixNano: nanos(timeMs),
    severityNumber: SEVERITY_NUMBERS[severity],
    severityText: severity,
    eventName,
    body: { stringValue: body },
    attributes: keyValues(attributes),
    ...(traceId && { traceId, spanId, flags: traceFlags ?? 0 }),
  };
  return {
    resourceLogs: [{ resource: resourceOf(resource), scopeLogs: [{ scope, logRecords: [logRecord] }] }],
  };
}

export function metricsRequest({ resource, scope }: Origin, gauge: Gauge): object {
  const { name, unit, description, timeMs, value, attributes } = gauge;
  const dataPoints = [{ timeUnixNano: nanos(timeMs), asDouble: value, attributes: keyValues(attributes) }];
  const metrics = [{ name, unit, description, gauge: { dataPoints } }];
  return { resourceMetrics: [{ resource: resourceOf(resource), scopeMetrics: [{ scope, metrics }] }] };
}

/** 64-bit integers are strings in JSON, for a double does not hold a present epoch time in nanoseconds. */
const nanos = (ms: number): string => `${BigInt(Math.round(ms * 1e3))}000`;

const resourceOf = (attributes: Attributes): object => ({ attributes: keyValues(attributes) });

function keyValues(attributes: Attributes): object[] {
  const pairs: object[] = [];
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) pairs.push({ key, value: anyValue(value) });
  }
  return pairs;
}

function anyValue(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? { intValue: `${value}` } : { doubleValue: value };
  }
  if (value instanceof Double) return { doubleValue: value.value };
  return { arrayValue: { values: value.map((item) => ({ stringValue: item })) } };
}
