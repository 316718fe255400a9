import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Span } from '@opentelemetry/api';
import type { StallShares } from '../../../src/blame/shares.ts';
import { recordOf, Victims } from '../../../src/blame/victims.ts';
import { SpansInFlight } from '../../../src/spans/in-flight.ts';
import { SpanState } from '../../../src/spans/tracker.ts';

const THRESHOLD_MS = 20;

/** Tells a stall of `holds` milliseconds by each of as many spans; returns what every one of them lost. */
function lostBy(...holds: number[]): number[] {
  const inFlight = new SpansInFlight();
  const spans = holds.map(() => new SpanState({} as Span, undefined, 0, true));
  for (const span of spans) inFlight.add(span);
  const shares = spans.map((owner, i) => ({ owner, ms: holds[i]! })).filter(({ ms }) => ms > 0);
  shares.sort((a, b) => b.ms - a.ms);
  const stall = { shares, unknownMs: 0, kind: 'burst' } as unknown as StallShares<SpanState>;
  const length = holds.reduce((sum, ms) => sum + ms, 0);
  new Victims(inFlight, THRESHOLD_MS).tell(10, 10 + length, stall, recordOf(stall, 'cpu'), 1);
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
