import { type Attributes, type HrTime, ROOT_CONTEXT, SpanKind, type TimeInput, type Tracer } from '@opentelemetry/api';
import { now, toPerformanceTime } from '../clock.ts';
import { traceApi } from '../otel-api.ts';
import * as semconv from '../semconv.ts';
import type { SpanState } from '../spans/tracker.ts';
import type { Share } from './shares.ts';

/** Puts a stall on the span that caused it. */
export type DrawStall = (state: SpanState, share: Share<SpanState>, attributes: Attributes) => void;

/** As an event of the span. */
export const drawEvent: DrawStall = ({ span }, share, attributes) => {
  span.addEvent(semconv.EVENT_STALL, attributes, toPerformanceTime(share.from));
};

/** What the SDK's spans show of themselves. */
interface SdkSpan {
  readonly startTime?: HrTime;
  readonly resource?: unknown;
}

/**
 * As a child span with the stall's true start and end, of a tracer whose spans are not followed. Where that would be
 * sampled out, or exported elsewhere than its parent (another provider's), as an event all the same.
 */
export function drawSpan(tracer: () => Tracer): DrawStall {
  return (state, share, attributes) => {
    const at = clockOf(state);
    const stall = tracer().startSpan(
      semconv.SPAN_STALL,
      { kind: SpanKind.INTERNAL, attributes, startTime: at(Math.max(share.from, state.startedAt)) },
      traceApi.setSpan(ROOT_CONTEXT, state.span),
    );
    const isBeside = (stall as SdkSpan).resource === (state.span as SdkSpan).resource;
    // one that never ends is never exported
    if (stall.isRecording() && isBeside) stall.end(at(share.to));
    else drawEvent(state, share, attributes);
  };
}

/** A span whose start is further from when we saw it start was given a time of its own. */
const MAX_START_DIFFERENCE_MS = 5;

/**
 * Moments as the span's own clock has them. The SDK counts each span's time from its start, which it takes in whole
 * milliseconds: by its own, a child could begin before its parent or end after it, and Jaeger would draw another critical path.
 */
function clockOf({ span, startedAt }: SpanState): (ms: number) => TimeInput {
  const { startTime } = span as SdkSpan;
  if (!Array.isArray(startTime)) return toPerformanceTime;
  const startMs = startTime[0] * 1e3 + startTime[1] / 1e6;
  const sawItAtMs = Date.now() - (now() - startedAt);
  if (Math.abs(startMs - sawItAtMs) > MAX_START_DIFFERENCE_MS) return toPerformanceTime;
  return (ms) => toHrTime(startMs + ms - startedAt);
}

function toHrTime(epochMs: number): HrTime {
  const micros = Math.round((epochMs % 1e3) * 1e3);
  return [Math.trunc(epochMs / 1e3) + Math.trunc(micros / 1e6), (micros % 1e6) * 1e3];
}
