import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evidenceOf } from '../../../src/forecast/requests.ts';
import type { TracedSpan } from '../../../src/forecast/spans.ts';

function span(spanId: string, more: Partial<TracedSpan> = {}): TracedSpan {
  return {
    process: 'p',
    traceId: 't',
    spanId,
    parentSpanId: undefined,
    name: spanId,
    isServer: false,
    startMs: 0,
    endMs: 1000,
    attributes: {},
    events: [],
    ...more,
  };
}
const stall = (more = {}) => ({
  'event_loop.stall.duration': 0.2,
  'event_loop.stall.threshold': 0.03,
  'code.function.name': 'ackOrder',
  'code.file.path': '/app/offsets.js',
  'code.line.number': 5,
  ...more,
});
const event = (timeMs = 100, attributes = stall()) => ({ name: 'event_loop.stall', timeMs, attributes });
const server = span('server', { isServer: true });
const called = { 'event_loop.blocked.section': 'node-rdkafka commitMessageSync' };

test('a hold of a span below a request is the request’s', () => {
  const commit = span('commit', { parentSpanId: 'server', events: [event(100, stall(called))] });
  const { requests, holds, gapMs } = evidenceOf([commit, server]);
  assert.equal(requests.length, 1);
  assert.deepEqual(requests[0]!.holds, holds);
  assert.equal(holds[0]!.request, requests[0]);
  assert.deepEqual([holds[0]!.fromMs, holds[0]!.toMs], [100, 300]);
  assert.deepEqual(holds[0]!.culprit, {
    function: 'ackOrder',
    file: '/app/offsets.js',
    line: 5,
    section: 'node-rdkafka commitMessageSync',
    span: 'commit',
  });
  assert.ok(Math.abs(gapMs - 30) < 1e-9);
});

test('a stall that is a span of its own says the same as an event', () => {
  const commit = span('commit', { parentSpanId: 'server' });
  const asEvent = evidenceOf([server, { ...commit, events: [event()] }]);
  const asSpan = evidenceOf([
    server,
    commit,
    span('stall', { name: 'event_loop.stall', parentSpanId: 'commit', startMs: 100, endMs: 300, attributes: stall() }),
  ]);
  assert.deepEqual(asSpan, asEvent);
});

test('what no request of the process leads to is nobody’s', () => {
  const elsewhere = { ...server, process: 'another' };
  for (const spans of [
    [span('job', { events: [event()] })],
    [elsewhere, span('job', { parentSpanId: 'server', events: [event()] })],
    [span('job', { parentSpanId: 'not exported', events: [event()] })],
    // somebody's mistake
    [span('a', { parentSpanId: 'b', events: [event()] }), span('b', { parentSpanId: 'a' })],
  ]) {
    assert.deepEqual(
      evidenceOf(spans).holds.map(({ request }) => request),
      [undefined],
    );
  }
});

test('the server span of a framework inside of the HTTP server’s is no request of its own', () => {
  const inner = span('inner', { isServer: true, parentSpanId: 'server', events: [event()] });
  for (const spans of [
    [server, inner],
    [inner, server],
  ]) {
    const { requests, holds } = evidenceOf(spans);
    assert.deepEqual(
      requests.map(({ route }) => route),
      ['server'],
    );
    assert.equal(holds[0]!.request, requests[0]);
  }
});

test('a request below a span of another process is one', () => {
  const client = span('client', { process: 'another', isServer: true });
  assert.equal(evidenceOf([client, span('server', { isServer: true, parentSpanId: 'client' })]).requests.length, 2);
});

test('a route is told by method and route, of old conventions too, or else by the span’s name', () => {
  for (const [attributes, route] of [
    [{ 'http.request.method': 'POST', 'http.route': '/orders' }, 'POST /orders'],
    [{ 'http.method': 'GET', 'http.route': '/orders' }, 'GET /orders'],
    [{ 'http.route': '/orders' }, '/orders'],
    [{ 'http.request.method': 'POST' }, 'server'],
  ] as const) {
    assert.equal(evidenceOf([{ ...server, attributes }]).requests[0]!.route, route);
  }
});

test('a place in the code is one culprit, in whichever span; without one, a call of one span is', () => {
  const keys = (...spans: TracedSpan[]) => new Set(evidenceOf(spans).holds.map(({ key }) => key)).size;
  const holds = (spanId: string, attributes: TracedSpan['attributes']) =>
    span(spanId, { events: [event(100, attributes as ReturnType<typeof stall>)] });
  assert.equal(keys(holds('a', stall()), holds('b', stall())), 1);
  assert.equal(keys(holds('a', stall()), holds('b', stall({ 'code.line.number': 6 }))), 2);
  const nowhere = { 'event_loop.stall.duration': 0.1 };
  assert.equal(keys(holds('a', nowhere), holds('b', nowhere)), 2);
  assert.equal(keys(holds('a', nowhere), { ...holds('a', nowhere), spanId: 'c' }), 1);
  assert.equal(keys(holds('a', nowhere), { ...holds('a', { ...nowhere, ...called }), spanId: 'c' }), 2);
});

test('of holds that shared a turn piece by piece, each keeps its length', () => {
  const { holds } = evidenceOf([
    span('a', { events: [event(100)] }),
    span('b', { events: [event(150)] }),
    span('c', { process: 'another', events: [event(150)] }),
  ]);
  assert.deepEqual(
    holds.map(({ fromMs, toMs, loop }) => [loop, fromMs, toMs]),
    [
      ['p thread 0', 100, 300],
      ['p thread 0', 300, 500],
      ['another thread 0', 150, 350],
    ],
  );
});

describe('threads', () => {
  const request = (spanId: string, thread?: number): TracedSpan => ({
    ...server,
    spanId,
    traceId: spanId,
    ...(thread !== undefined && { attributes: { 'thread.id': thread }, events: [event()] }),
  });
  const loops = (...spans: TracedSpan[]) => evidenceOf(spans).requests.map(({ loop }) => loop);

  test('who is marked says on which it was, and where only one was held, the others were there too', () => {
    assert.deepEqual(loops(request('a', 0), request('b')), ['p thread 0', 'p thread 0']);
    assert.deepEqual(loops(request('a', 3), request('b')), ['p thread 3', 'p thread 3']);
    assert.deepEqual(loops(request('a', 3), { ...request('b'), process: 'q' }), ['p thread 3', 'q thread 0']);
  });

  test('where several were held, whoever is not marked is taken for one of the main thread', () => {
    assert.deepEqual(loops(request('a', 3), request('b', 4), request('c')), ['p thread 3', 'p thread 4', 'p thread 0']);
    assert.deepEqual(loops(request('a', 3), request('b', 0), request('c')), ['p thread 3', 'p thread 0', 'p thread 0']);
  });

  test('a span below a request marks its request’s thread; threads do not hold each other up', () => {
    const commit = { ...request('commit', 3), traceId: 'a', parentSpanId: 'a', isServer: false };
    const { holds, requests } = evidenceOf([request('a'), commit, request('b', 0)]);
    assert.deepEqual(
      requests.map(({ loop }) => loop),
      ['p thread 3', 'p thread 0'],
    );
    assert.deepEqual(
      holds.map(({ fromMs }) => fromMs),
      [100, 100],
    );
  });
});

test('numbers that are none are not there', () => {
  for (const value of ['12', -1, Number.NaN, Number.POSITIVE_INFINITY, true]) {
    const attributes = { 'event_loop.stalled.before_start': value };
    const { requests, holds } = evidenceOf([
      { ...server, attributes, events: [event(100, { ...stall(), 'event_loop.stall.duration': value as number })] },
    ]);
    assert.equal(requests[0]!.doorMs, undefined);
    assert.deepEqual(holds, []);
  }
});
