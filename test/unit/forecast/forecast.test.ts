import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type CulpritForecast, forecast, type RouteForecast } from '../../../src/forecast/forecast.ts';
import { MIN_REQUESTS, MIN_REQUESTS_FOR_P99 } from '../../../src/forecast/quantiles.ts';
import type { TracedSpan } from '../../../src/forecast/spans.ts';
import { type CallMode, latencies, random, simulate, spansOfVisits, type Visit, visits } from './simulated-loop.ts';

const COUNT = 1000;

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(q * sorted.length) - 1]!;
}

function find(culprits: readonly CulpritForecast[], call: string, route: string): RouteForecast {
  const found = culprits.find(({ culprit }) => culprit.function === call)?.routes.find((of) => of.route === route);
  assert.ok(found, `${call} makes ${route} wait`);
  return found;
}

/** The forecasts of the blocked world beside what becomes of the same visits where one call is fixed. */
function compare(world: readonly Visit[], call: string, route: string, order?: 'fair' | 'unfair') {
  const { culprits } = forecast(spansOfVisits(simulate(world, () => 'blocks', order)));
  const found = find(culprits, call, route);
  const truth = (mode: CallMode) =>
    latencies(
      simulate(world, (of) => (of === call ? mode : 'blocks'), order),
      route,
    );
  return { found, truth };
}

/** What a loop does for its requests itself, and for a backlog of them below what makes a stall: seen by nobody. */
const OWN_MS = { p50: 2, p99: 20 };

function assertNear(actual: number | undefined, truth: number, part: number, what: string, ownMs = 0): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - truth) <= Math.max(ownMs, truth * part),
    `${what}: ${actual}, ${truth}`,
  );
}

describe('beside what becomes of the same requests after the fix', () => {
  const writes: Omit<Visit, 'atMs'> = { route: 'write', waitMs: 2, callMs: 200, call: 'commit' };
  const worlds: {
    name: string;
    world: Visit[];
    order?: 'unfair';
    route: string;
    call: string;
    p50: number;
    p99: number;
  }[] = [
    {
      name: 'a route whose every request blocks, at nine tenths of what its loop can serve',
      world: visits(COUNT, 4.5, writes, 1),
      route: 'write',
      call: 'commit',
      p50: 0.01,
      p99: 0.01,
    },
    {
      name: 'a loop in which some wait for very long',
      world: visits(COUNT, 4.5, writes, 1),
      order: 'unfair',
      route: 'write',
      call: 'commit',
      p50: 0.01,
      p99: 0.01,
    },
    {
      name: 'a handler that blocks at once',
      world: visits(COUNT, 4.5, { ...writes, waitMs: 0 }, 2),
      route: 'write',
      call: 'commit',
      p50: 0.01,
      p99: 0.02,
    },
    {
      name: 'innocent requests of the same process',
      world: [
        ...visits(COUNT, 4, writes, 3),
        ...visits(COUNT, 8, { route: 'read', waitMs: 1, callMs: 0, call: '' }, 4),
      ],
      route: 'read',
      call: 'commit',
      p50: 0.01,
      p99: 0.01,
    },
    {
      // what a query took that came back while the loop was held is taken for lost, unless others show what it takes
      name: 'innocent requests whose own waiting hides behind the holds',
      world: [
        ...visits(COUNT, 10, { ...writes, callMs: 30 }, 5),
        ...visits(COUNT, 20, { route: 'read', waitMs: 100, callMs: 0, call: '' }, 6),
      ],
      route: 'read',
      call: 'commit',
      p50: 0.01,
      p99: 0.01,
    },
    {
      name: 'requests of very different lengths',
      world: [
        ...visits(COUNT, 10, { ...writes, callMs: 30 }, 7),
        ...visits(COUNT, 20, { route: 'read', waitMs: unlike(8), callMs: 0, call: '' }, 9),
      ],
      route: 'read',
      call: 'commit',
      p50: 0.05,
      p99: 0.1,
    },
    {
      name: 'one of two culprits, where both together fill the loop',
      world: [
        ...visits(COUNT, 2.2, writes, 10),
        ...visits(COUNT, 2.2, { route: 'place', waitMs: 2, callMs: 200, call: 'flush' }, 11),
        ...visits(COUNT, 2.2, { route: 'read', waitMs: 5, callMs: 0, call: '' }, 12),
      ],
      route: 'read',
      call: 'commit',
      p50: 0.05,
      p99: 0.15,
    },
    {
      name: 'the own route of one of two culprits',
      world: [
        ...visits(COUNT, 2.3, writes, 1),
        ...visits(COUNT, 2.3, { route: 'place', waitMs: 2, callMs: 200, call: 'flush' }, 3),
      ],
      route: 'write',
      call: 'commit',
      p50: 0.2,
      p99: 0.3,
    },
    {
      name: 'the smaller one of two culprits',
      world: [
        ...visits(COUNT, 1, writes, 13),
        ...visits(COUNT * 4, 4, { route: 'place', waitMs: 2, callMs: 50, call: 'flush' }, 14),
      ],
      route: 'write',
      call: 'flush',
      p50: 0.05,
      p99: 0.15,
    },
  ];
  for (const { name, world, order, route, call, p50, p99 } of worlds) {
    test(name, () => {
      const { found, truth } = compare(world, call, route, order);
      for (const [mode, latency] of [
        ['awaited', found.awaited],
        ['gone', found.notWaiting],
      ] as const) {
        assertNear(latency?.p50Ms, quantile(truth(mode), 0.5), p50, `${mode}, p50`, OWN_MS.p50);
        assertNear(latency?.p99Ms, quantile(truth(mode), 0.99), p99, `${mode}, p99`, OWN_MS.p99);
      }
      // a fix has to be worth something for the comparison to be
      assert.ok(quantile(truth('blocks'), 0.99) > 1.05 * quantile(truth('awaited'), 0.99));
      assert.ok(Math.abs(found.asItIs!.p50Ms - quantile(truth('blocks'), 0.5)) < 1e-3, 'as it is, all of it is seen');
    });
  }

  test('a route that blocks for 200 ms each time cannot pass 5 a second', () => {
    const { found } = compare(visits(COUNT, 4.5, writes, 1), 'commit', 'write');
    assertNear(found.ceilingPerSecond, 5, 0.001, 'ceiling');
    assertNear(found.nowPerSecond, 4.5, 0.1, 'now');
    assert.equal(found.nowPerSecond, found.requestsPerSecond, 'there is one process');
  });

  test('where a third of the requests block, the route can pass three times as many', () => {
    const world = [...visits(300, 1, writes, 20), ...visits(600, 2, { ...writes, callMs: 0 }, 21)];
    const { found } = compare(world, 'commit', 'write');
    assertNear(found.ceilingPerSecond, 15, 0.001, 'ceiling');
  });

  test('a route that only waits for another has no ceiling', () => {
    const world = [...visits(300, 1, writes, 22), ...visits(300, 1, { ...writes, route: 'read', callMs: 0 }, 23)];
    assert.equal(compare(world, 'commit', 'read').found.ceilingPerSecond, undefined);
  });

  test('processes hold their own requests up, and nobody else', () => {
    const busy = spansOfVisits(
      simulate(visits(COUNT, 4.5, writes, 24), () => 'blocks'),
      'busy',
    );
    const idle = spansOfVisits(
      simulate(visits(COUNT, 4.5, { ...writes, callMs: 0 }, 25), () => 'blocks'),
      'idle',
    );
    const { culprits } = forecast([...busy, ...idle.map((span) => ({ ...span, name: 'other' }))]);
    assert.deepEqual(
      culprits.flatMap(({ routes }) => routes.map(({ route }) => route)),
      ['write'],
    );
  });

  test('the order of the spans does not matter', () => {
    const spans = spansOfVisits(simulate(visits(COUNT, 4.5, writes, 27), () => 'blocks'));
    const of = (found: TracedSpan[]) => find(forecast(found).culprits, 'commit', 'write');
    // sums are another in another order, in their last digits
    const { savedSeconds, ceilingPerSecond, ...latency } = of(spans);
    const reversed = of([...spans].reverse());
    assert.deepEqual({ ...reversed, savedSeconds, ceilingPerSecond }, { ...latency, savedSeconds, ceilingPerSecond });
    assertNear(reversed.savedSeconds, savedSeconds, 1e-9, 'saved');
  });

  test('what comes to two processes is shared by them', () => {
    const world = visits(COUNT, 4.5, writes, 26);
    const spans = ['1', '2'].flatMap((process) =>
      spansOfVisits(
        simulate(world, () => 'blocks'),
        process,
      ),
    );
    const found = find(forecast(spans).culprits, 'commit', 'write');
    assertNear(found.requestsPerSecond, 9, 0.1, 'both');
    assert.equal(found.nowPerSecond, found.requestsPerSecond / 2);
    assertNear(found.ceilingPerSecond, 5, 0.001, 'ceiling');
  });
});

describe('by hand', () => {
  const span = (startMs: number, endMs: number, stalledS: number | undefined, holdMs: number): TracedSpan => ({
    process: 'p',
    traceId: `${startMs}`,
    spanId: 'a',
    parentSpanId: undefined,
    name: holdMs > 0 ? 'culprit' : 'route',
    isServer: true,
    startMs,
    endMs,
    attributes: { 'event_loop.stalled.duration': stalledS },
    events:
      holdMs > 0
        ? [
            {
              name: 'event_loop.stall',
              timeMs: startMs,
              attributes: { 'event_loop.stall.duration': holdMs / 1e3, 'code.function.name': 'c' },
            },
          ]
        : [],
  });
  const times = (count: number, of: (i: number) => TracedSpan[]) =>
    Array.from({ length: count }, (_, i) => of(i)).flat();

  test('what a request lost to what nobody is blamed for stays', () => {
    const spans = times(40, (i) => [
      span(i * 5000, i * 5000 + 2000, 1.5, 0),
      span(i * 5000 + 100, i * 5000 + 130, undefined, 30),
    ]);
    const { asItIs, notWaiting } = find(forecast(spans).culprits, 'c', 'route');
    assert.deepEqual([asItIs!.p50Ms, notWaiting!.p50Ms], [2000, 1970]);
  });

  test('those that were not disturbed may be the slow ones', () => {
    const slow = times(40, (i) => [span(i * 5000, i * 5000 + 1000, undefined, 0)]);
    const quick = times(60, (i) => [
      span(i * 5000 + 2000, i * 5000 + 2040, undefined, 0),
      span(i * 5000 + 2005, i * 5000 + 2035, undefined, 30),
    ]);
    const { asItIs, notWaiting } = find(forecast([...slow, ...quick]).culprits, 'c', 'route');
    assert.deepEqual([asItIs!.p50Ms, notWaiting!.p50Ms], [40, 40]);
  });
});

function unlike(seed: number): () => number {
  const next = random(seed);
  return () => (next() < 0.6 ? 1 : 50 + 100 * next());
}

describe('how much it rests on', () => {
  const blocked = (count: number): TracedSpan[] =>
    spansOfVisits(simulate(visits(count, 4, { route: 'r', waitMs: 0, callMs: 100, call: 'c' }, 1), () => 'blocks'));
  const of = (spans: TracedSpan[]) => find(forecast(spans).culprits, 'c', 'r');

  test('nothing is said of fewer requests than a median takes', () => {
    const { requests, asItIs, awaited, notWaiting } = of(blocked(MIN_REQUESTS - 1));
    assert.deepEqual(
      { requests, asItIs, awaited, notWaiting },
      { requests: MIN_REQUESTS - 1, asItIs: undefined, awaited: undefined, notWaiting: undefined },
    );
    assert.ok(of(blocked(MIN_REQUESTS)).awaited);
  });

  test('nor of the tail of fewer than it takes', () => {
    assert.equal(of(blocked(MIN_REQUESTS_FOR_P99 - 1)).awaited!.p99Ms, undefined);
    assert.ok(of(blocked(MIN_REQUESTS_FOR_P99)).awaited!.p99Ms! > 0);
  });

  test('how many told that they stood at the door', () => {
    const spans = blocked(50);
    const told = spans.filter((span) => 'event_loop.stalled.before_start' in span.attributes).length;
    assert.ok(told > 0 && told < 50);
    assert.equal(of(spans).atTheDoor, told);
  });

  test('which part of the victims is there', () => {
    const hold = (victims: number, from: number): TracedSpan => ({
      ...blocked(1)[0]!,
      spanId: `hold-${from}`,
      startMs: from,
      endMs: from + 101,
      attributes: { 'event_loop.blocked.count': 1, 'event_loop.blocked.victims': victims },
      events: [{ name: 'event_loop.stall', timeMs: from, attributes: { 'event_loop.stall.duration': 0.1 } }],
    });
    const victim = (i: number): TracedSpan => ({ ...hold(0, 0), spanId: `v${i}`, attributes: {}, events: [] });
    assert.equal(forecast([hold(4, 0), victim(1), victim(2), victim(3)]).seenRatio, 0.75);
    assert.equal(forecast([hold(4, 0), hold(1, 5000)]).seenRatio, 0);
    assert.equal(forecast([hold(0, 0)]).seenRatio, undefined);
  });

  test('no spans, or none that held the loop, are no forecast', () => {
    assert.deepEqual(forecast([]), { culprits: [], requests: 0, seenRatio: undefined });
    const well = spansOfVisits(
      simulate(visits(50, 4, { route: 'r', waitMs: 1, callMs: 0, call: '' }, 1), () => 'blocks'),
    );
    assert.deepEqual(forecast(well).culprits, []);
  });
});

describe('whatever the traces', () => {
  const times = {
    startMs: fc.double({ min: 0, max: 5000, noNaN: true }),
    ms: fc.double({ min: 0, max: 3000, noNaN: true }),
  };
  const stall = fc.record({ ...times, call: fc.constantFrom('a', 'b') });
  const request = fc.record({
    ...times,
    route: fc.constantFrom('x', 'y'),
    process: fc.constantFrom('1', '2'),
    doorS: fc.option(fc.double({ min: 0, max: 5, noNaN: true }), { nil: undefined }),
    stalledS: fc.option(fc.double({ min: 0, max: 5, noNaN: true }), { nil: undefined }),
    stalls: fc.array(stall, { maxLength: 3 }),
  });
  const traces = fc.array(request, { minLength: MIN_REQUESTS, maxLength: 80 }).map((requests) =>
    requests.map(
      ({ route, process, startMs, ms, doorS, stalledS, stalls }, i): TracedSpan => ({
        process,
        traceId: String(i),
        spanId: 'a',
        parentSpanId: undefined,
        name: route,
        isServer: true,
        startMs,
        endMs: startMs + ms,
        attributes: { 'event_loop.stalled.before_start': doorS, 'event_loop.stalled.duration': stalledS },
        events: stalls.map(({ startMs: timeMs, ms: lengthMs, call }) => ({
          name: 'event_loop.stall',
          timeMs,
          attributes: { 'event_loop.stall.duration': lengthMs / 1e3, 'code.function.name': call },
        })),
      }),
    ),
  );
  const everyRoute = (spans: TracedSpan[]) => forecast(spans).culprits.flatMap(({ routes }) => routes);

  test('a forecast is never negative, never above what is, and not waiting never above awaiting', () => {
    fc.assert(
      fc.property(traces, (spans) => {
        for (const { asItIs, awaited, notWaiting, savedSeconds } of everyRoute(spans)) {
          if (!asItIs) continue;
          assert.ok(notWaiting!.p50Ms >= 0 && notWaiting!.p50Ms <= awaited!.p50Ms, 'not waiting');
          assert.ok(awaited!.p50Ms <= asItIs.p50Ms, 'awaited');
          assert.ok(savedSeconds > 0);
        }
      }),
    );
  });

  test('a culprit that nobody met changes nothing, and is not told of', () => {
    fc.assert(
      fc.property(traces, (spans) => {
        const elsewhere: TracedSpan = {
          ...spans[0]!,
          traceId: 'elsewhere',
          process: 'another',
          isServer: false,
          events: [
            {
              name: 'event_loop.stall',
              timeMs: 100,
              attributes: { 'event_loop.stall.duration': 1, 'code.function.name': 'elsewhere' },
            },
          ],
        };
        const { culprits } = forecast([...spans, elsewhere]);
        assert.deepEqual(culprits.find(({ culprit }) => culprit.function === 'elsewhere')?.routes, []);
        assert.deepEqual(
          culprits.filter(({ culprit }) => culprit.function !== 'elsewhere'),
          forecast(spans).culprits,
        );
      }),
      { numRuns: 30 },
    );
  });

  test('as one culprit, two buy at least what each of them does', () => {
    fc.assert(
      fc.property(traces, (spans) => {
        const one = spans.map((span) => ({
          ...span,
          events: span.events.map((event) => ({
            ...event,
            attributes: { ...event.attributes, 'code.function.name': 'one' },
          })),
        }));
        const [together] = forecast(one).culprits;
        for (const { savedSeconds } of forecast(spans).culprits) {
          assert.ok(savedSeconds <= together!.savedSeconds + 1e-6, `${savedSeconds} of ${together!.savedSeconds}`);
        }
      }),
    );
  });
});
