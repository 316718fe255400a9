import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Span } from '@opentelemetry/api';
import type { StallShares } from '../../../src/blame/shares.ts';
import { keepRecord, newRecord, type StallRecord, Victims, writeStalled } from '../../../src/blame/victims.ts';
import type { Cause } from '../../../src/semconv.ts';
import { SpansInFlight } from '../../../src/spans/in-flight.ts';
import { SpanState } from '../../../src/spans/tracker.ts';

const THRESHOLD_MS = 20;

function recorded(stall: StallShares<SpanState>, cause: Cause): StallRecord {
  const record = newRecord();
  keepRecord(record, stall, cause);
  return record;
}

/** Tells a stall of `holds` milliseconds by each of as many spans; returns what every one of them lost. */
function lostBy(...holds: number[]): number[] {
  const inFlight = new SpansInFlight();
  const spans = holds.map(() => new SpanState({} as Span, undefined, 0, true));
  for (const span of spans) inFlight.add(span);
  const shares = spans.map((owner, i) => ({ owner, ms: holds[i]! })).filter(({ ms }) => ms > 0);
  shares.sort((a, b) => b.ms - a.ms);
  const stall = { shares, unknownMs: 0, kind: 'burst' } as unknown as StallShares<SpanState>;
  const length = holds.reduce((sum, ms) => sum + ms, 0);
  new Victims(inFlight, THRESHOLD_MS).tell(10, 10 + length, stall, recorded(stall, 'cpu'), 1);
  return spans.map((span) => span.stalled?.ms ?? 0);
}

test('whoever is in flight loses the whole stall, and who held a part of it the parts of the others', () => {
  assert.deepEqual(lostBy(0, 150), [150, 0]);
  assert.deepEqual(lostBy(140, 60), [60, 140]);
});

test('what others held beside it is none of its waits where that would have been no stall', () => {
  assert.deepEqual(lostBy(150, THRESHOLD_MS - 0.1, 0), [0, 150, 170 - 0.1]);
  assert.deepEqual(lostBy(150, THRESHOLD_MS), [THRESHOLD_MS, 150]);
  // together they would have been one
  assert.deepEqual(lostBy(150, 12, 12), [24, 162, 162]);
});

/** A span that shows what is written on it. */
function shown(spanId: string, parentSpanId?: string) {
  const attributes: Record<string, unknown> = {};
  const links: string[] = [];
  const span = {
    isRecording: () => true,
    spanContext: () => ({ spanId }),
    parentSpanContext: parentSpanId === undefined ? undefined : { spanId: parentSpanId },
    setAttributes: (more: object) => Object.assign(attributes, more),
    addLink: ({ context }: { context: { spanId: string } }) => links.push(context.spanId),
  };
  return { state: new SpanState(span as unknown as Span, undefined, 0, true), attributes, links };
}

test('a victim says what held the loop, and links to the span that did, but for its own parent', () => {
  const inFlight = new SpansInFlight();
  const [culprit, child, other] = [shown('culprit'), shown('child', 'culprit'), shown('other', 'another')];
  for (const { state } of [culprit, child, other]) inFlight.add(state);
  const job = { owner: undefined, ms: 100, code: { functionName: 'nightlyJob' } };
  const call = { name: 'node-rdkafka commitSync', system: 'kafka' };
  const commit = { owner: culprit.state, ms: 60, section: call, clients: new Map([['kafka', 60]]) };
  const stall = { shares: [job, commit], unknownMs: 0, kind: 'burst' } as unknown as StallShares<SpanState>;
  new Victims(inFlight, THRESHOLD_MS).tell(10, 170, stall, recorded(stall, 'cpu'), 1);
  for (const { state } of [culprit, child, other]) writeStalled(state);
  assert.equal(other.attributes['event_loop.stalled.by'], 'nightlyJob');
  assert.deepEqual(other.links, ['culprit']);
  assert.equal(child.attributes['event_loop.stalled.duration'], 0.16);
  assert.deepEqual(child.links, []);
  assert.equal(culprit.attributes['event_loop.stalled.by'], 'nightlyJob');

  const alone = { ...stall, shares: [commit] } as unknown as StallShares<SpanState>;
  const late = shown('late');
  inFlight.add(late.state);
  new Victims(inFlight, THRESHOLD_MS).tell(200, 260, alone, recorded(alone, 'native_wait'), 2);
  writeStalled(late.state);
  assert.equal(late.attributes['event_loop.stalled.by'], 'node-rdkafka commitSync');
});
