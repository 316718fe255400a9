import { context, SpanKind, trace } from '@opentelemetry/api';

/**
 * What of OpenTelemetry's API is used for every span and section, read once: the package's exports are getters, and a
 * bundle asks them anew at each use.
 */
export const contextApi: typeof context = context;
export const traceApi: typeof trace = trace;
export const INTERNAL: SpanKind = SpanKind.INTERNAL;
export const SERVER: SpanKind = SpanKind.SERVER;
