import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readTraces, spansOf } from '../../../src/forecast/otlp.ts';

const strings = (values: Record<string, string>) =>
  Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));

/** As the collector's file exporter writes it. */
const exported = (resource: unknown[] = strings({ 'service.instance.id': 'one' }), span: object = {}) => ({
  resourceSpans: [
    {
      resource: { attributes: resource },
      scopeSpans: [
        {
          scope: { name: '@opentelemetry/instrumentation-http' },
          spans: [
            {
              traceId: '0af7651916cd43dd8448eb211c80319c',
              spanId: 'b7ad6b7169203331',
              parentSpanId: '',
              name: 'POST /orders',
              kind: 2,
              startTimeUnixNano: '1795520000123500000',
              endTimeUnixNano: '1795520000323250000',
              attributes: [
                { key: 'http.request.method', value: { stringValue: 'POST' } },
                { key: 'http.route', value: { stringValue: '/orders' } },
                { key: 'user_agent.original', value: { stringValue: 'curl' } },
                { key: 'event_loop.stalled.before_start', value: { doubleValue: 1.5 } },
                { key: 'event_loop.blocked.count', value: { intValue: '3' } },
                { key: 'event_loop.blocked', value: { boolValue: true } },
                { key: 'code.stacktrace', value: { stringValue: 'at …' } },
              ],
              events: [
                {
                  name: 'event_loop.stall',
                  timeUnixNano: '1795520000200000000',
                  attributes: [{ key: 'event_loop.stall.duration', value: { doubleValue: 0.1 } }],
                },
                { name: 'event_loop.section', timeUnixNano: '1795520000200000000', attributes: [] },
              ],
              ...span,
            },
          ],
        },
      ],
    },
  ],
});

describe('an export', () => {
  test('becomes plain spans, with what forecasts need', () => {
    assert.deepEqual(spansOf(exported()), [
      {
        process: 'one',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        spanId: 'b7ad6b7169203331',
        parentSpanId: undefined,
        name: 'POST /orders',
        isServer: true,
        startMs: 1795520000123.5,
        endMs: 1795520000323.25,
        attributes: {
          'http.request.method': 'POST',
          'http.route': '/orders',
          'event_loop.stalled.before_start': 1.5,
          'event_loop.blocked.count': 3,
          'event_loop.blocked': true,
        },
        events: [{ name: 'event_loop.stall', timeMs: 1795520000200, attributes: { 'event_loop.stall.duration': 0.1 } }],
      },
    ]);
  });

  test('kinds may be names, and whatever has no value may be left out', () => {
    const bare = { traceId: 't', spanId: 's', name: 'n', startTimeUnixNano: 1e9, endTimeUnixNano: '2000000000' };
    const of = (span: object) => spansOf({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...bare, ...span }] }] }] })[0]!;
    assert.deepEqual([of({}).isServer, of({}).startMs, of({}).endMs, of({}).events], [false, 1000, 2000, []]);
    assert.equal(of({ kind: 'SPAN_KIND_SERVER' }).isServer, true);
    assert.equal(of({ kind: 'SPAN_KIND_CLIENT' }).isServer, false);
    assert.equal(of({ kind: 3 }).isServer, false);
    assert.deepEqual(spansOf({ resourceSpans: [{ scopeSpans: [{}] }, {}] }), []);
    assert.deepEqual(spansOf({ resourceMetrics: [] }), [], 'metrics have no spans');
  });

  test('processes are told apart by instance, or by host and pid, or by all there is', () => {
    const process = (resource: unknown[]) => spansOf(exported(resource))[0]!.process;
    const pid = (intValue: number) => ({ key: 'process.pid', value: { intValue } });
    assert.notEqual(process([pid(1)]), process([pid(2)]));
    assert.notEqual(
      process([pid(1), ...strings({ 'host.name': 'a' })]),
      process([pid(1), ...strings({ 'host.name': 'b' })]),
    );
    assert.equal(process([pid(1), ...strings({ 'x.y': 'a' })]), process([pid(1), ...strings({ 'x.y': 'b' })]));
    assert.equal(
      process([pid(1), ...strings({ 'service.instance.id': 'i' })]),
      process([pid(2), ...strings({ 'service.instance.id': 'i' })]),
    );
    assert.notEqual(process(strings({ 'service.name': 'a' })), process(strings({ 'service.name': 'b' })));
  });

  test('anything else is refused', () => {
    for (const other of [undefined, null, 1, 'text', []]) assert.throws(() => spansOf(other), TypeError);
  });
});

describe('a file of traces', () => {
  test('is read line by line, and lines of no JSON are counted', async () => {
    const line = JSON.stringify(exported());
    const { spans, badLines } = await readTraces([line, '', '{"resourceMetrics":[]}', line.slice(0, 99), '12', line]);
    assert.equal(spans.length, 2);
    assert.equal(badLines, 2);
  });

  test('a span that is none is counted with its line, and takes none of its line along', async () => {
    const [good, bad] = [exported(), exported(undefined, { startTimeUnixNano: 'now' })];
    const { spans, badLines } = await readTraces(
      [{ resourceSpans: [...good.resourceSpans, ...bad.resourceSpans] }, good].map((body) => JSON.stringify(body)),
    );
    assert.deepEqual([spans.length, badLines], [1, 1]);
  });
});
