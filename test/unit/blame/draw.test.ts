import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HrTime } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  type Span,
} from '@opentelemetry/sdk-trace-base';
import { drawSpan } from '../../../src/blame/draw.ts';
import type { Share } from '../../../src/blame/shares.ts';
import { now } from '../../../src/clock.ts';
import { SpanState } from '../../../src/spans/tracker.ts';

/** All but spans of that name. */
const allBut = (name: string): Sampler => ({
  shouldSample: (_context, _traceId, spanName) => ({
    decision: spanName === name ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED,
  }),
  toString: () => 'allBut',
});

function provider(sampler: Sampler = allBut('nothing')) {
  const exporter = new InMemorySpanExporter();
  const made = new BasicTracerProvider({ sampler, spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: made.getTracer('test'), exporter };
}

const ms = ([seconds, nanos]: HrTime): number => seconds * 1e3 + nanos / 1e6;

function pass(ms: number): void {
  const until = now() + ms;
  while (now() < until);
}

/** Draws a stall from 3 ms after the span's start on that lasted 40 ms, when it is over. */
function drawn(parent: Span, ours: ReturnType<typeof provider>): ReadableSpan | undefined {
  const state = new SpanState(parent, undefined, now(), true);
  const share = { from: state.startedAt + 3, to: state.startedAt + 43, ms: 40 } as unknown as Share<SpanState>;
  pass(45);
  drawSpan(() => ours.tracer)(state, share, { 'event_loop.stall.duration': 0.04 });
  return ours.exporter.getFinishedSpans().find(({ name }) => name === 'event_loop.stall');
}

test('the stall lies in its span as it lay in its life, whatever each clock began with', () => {
  const ours = provider();
  for (let i = 0; i < 10; i++) {
    const parent = ours.tracer.startSpan('culprit') as Span;
    const stall = drawn(parent, ours);
    assert.ok(stall);
    assert.equal(stall.parentSpanContext?.spanId, parent.spanContext().spanId);
    assert.ok(Math.abs(ms(stall.startTime) - ms(parent.startTime) - 3) < 0.002);
    assert.ok(Math.abs(ms(stall.endTime) - ms(parent.startTime) - 43) < 0.002);
    assert.equal(stall.attributes['event_loop.stall.duration'], 0.04);
    ours.exporter.reset();
    pass(0.3);
  }
});

test("a span that was given a start of its own: the stall's is by the clock", () => {
  const ours = provider();
  const parent = ours.tracer.startSpan('culprit', { startTime: Date.now() - 60_000 }) as Span;
  const before = Date.now();
  const stall = drawn(parent, ours);
  assert.ok(stall && Math.abs(ms(stall.startTime) - before) < 1000);
});

test('as an event where the child span would be sampled out, or exported elsewhere', () => {
  const dropping = provider(allBut('event_loop.stall'));
  const parent = dropping.tracer.startSpan('culprit') as Span;
  assert.equal(drawn(parent, dropping), undefined);
  assert.deepEqual(
    parent.events.map(({ name }) => name),
    ['event_loop.stall'],
  );

  const [theirs, ours] = [provider(), provider()];
  const other = theirs.tracer.startSpan('culprit') as Span;
  assert.equal(drawn(other, ours), undefined);
  assert.equal(other.events.length, 1);
});
