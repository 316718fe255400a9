import type { Context, Span } from '@opentelemetry/api';
import { contextApi, traceApi } from '../otel-api.ts';

/** OpenTelemetry's own key of a context in which nothing is traced: exporters run in it. */
const SUPPRESS_TRACING = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

// Contexts never change, and several sections in a row are of one.
let lastContext: Context | undefined;
let lastSpan: Span | undefined;

/** The active span, whoever made it; none in an exporter, whose context may still hold some request's span. */
export function activeSpan(): Span | undefined {
  const active = contextApi.active();
  if (active !== lastContext) {
    lastContext = active;
    lastSpan = active.getValue(SUPPRESS_TRACING) === true ? undefined : traceApi.getSpan(active);
  }
  return lastSpan;
}
