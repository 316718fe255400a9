import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { context, SpanKind, SpanStatusCode, trace, ValueType } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { millis } from '../../support/otlp.ts';
import { type Receiver, startReceiver } from '../../support/receiver.ts';

describe('receiver', () => {
  let receiver: Receiver;
  before(async () => {
    receiver = await startReceiver();
  });
  after(() => receiver.close());

  for (const compression of ['none', 'gzip'] as const) {
    it(`gives the spans of the real exporter (compression ${compression})`, async () => {
      const exporter = new OTLPTraceExporter({
        url: `${receiver.url}/v1/traces`,
        // the enum of the exporters' own package, which is none of ours
        ...(compression === 'gzip' && { compression: 'gzip' as never }),
      });
      const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
      const tracer = provider.getTracer('a scope');
      const startMs = Date.now() - 5000;
      const parent = tracer.startSpan(`parent ${compression}`, { kind: SpanKind.SERVER, startTime: startMs });
      const child = tracer.startSpan(
        `child ${compression}`,
        {
          startTime: startMs + 100.125,
          links: [{ context: parent.spanContext(), attributes: { why: 'test' } }],
          attributes: { text: 'a', integer: 42, double: 0.5, flag: false, many: ['x', 'y'] },
        },
        trace.setSpan(context.active(), parent),
      );
      child.addEvent('happened', { ms: 7.25 }, startMs + 150);
      child.setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
      child.end(startMs + 200.5);
      parent.end(startMs + 300);
      await provider.shutdown();

      const received = await receiver.waitFor((r) => r.spans.find(({ name }) => name === `child ${compression}`));
      const { traceId, spanId } = parent.spanContext();
      assert.deepEqual(
        { ...received, resource: {}, startMs: received.startMs - startMs, endMs: received.endMs - startMs },
        {
          name: `child ${compression}`,
          kind: 'INTERNAL',
          traceId,
          spanId: child.spanContext().spanId,
          parentSpanId: spanId,
          startMs: 100.125,
          endMs: 200.5,
          attributes: { text: 'a', integer: 42, double: 0.5, flag: false, many: ['x', 'y'] },
          events: [{ name: 'happened', timeMs: startMs + 150, attributes: { ms: 7.25 } }],
          links: [{ traceId, spanId, attributes: { why: 'test' } }],
          status: { code: 'ERROR', message: 'no' },
          scope: 'a scope',
          resource: {},
        },
      );
      assert.equal(typeof received.resource['service.name'], 'string');
      const root = await receiver.waitFor((r) => r.spans.find(({ name }) => name === `parent ${compression}`));
      assert.equal(root.parentSpanId, undefined);
      assert.equal(root.kind, 'SERVER');
      assert.equal(root.status.code, 'UNSET');
    });
  }

  it('gives the points of the real metric exporter', async () => {
    const exporter = new OTLPMetricExporter({ url: `${receiver.url}/v1/metrics` });
    const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
    const meter = provider.getMeter('a meter');
    meter.createGauge('a.gauge', { unit: 'ms' }).record(1.5, { where: 'here' });
    meter.createCounter('a.counter', { valueType: ValueType.INT }).add(3);
    const histogram = meter.createHistogram('a.histogram', { advice: { explicitBucketBoundaries: [1, 10] } });
    for (const value of [0.5, 5, 50, 500]) histogram.record(value);
    await provider.shutdown();

    const point = (name: string) => receiver.waitFor((r) => r.metrics.find((metric) => metric.name === name));
    const { timeMs, resource: _, ...gauge } = await point('a.gauge');
    assert.deepEqual(gauge, {
      name: 'a.gauge',
      unit: 'ms',
      type: 'gauge',
      attributes: { where: 'here' },
      value: 1.5,
      scope: 'a meter',
    });
    assert.ok(Math.abs(timeMs - Date.now()) < 60_000);
    const counter = await point('a.counter');
    assert.ok(counter.type === 'sum' && counter.value === 3);
    const measured = await point('a.histogram');
    assert.ok(measured.type === 'histogram');
    const { count, sum, min, max, bucketCounts, explicitBounds } = measured;
    assert.deepEqual(
      { count, sum, min, max, bucketCounts, explicitBounds },
      { count: 4, sum: 555.5, min: 0.5, max: 500, bucketCounts: [1, 1, 2], explicitBounds: [1, 10] },
    );
  });

  it('gives log records', async () => {
    const record = {
      timeUnixNano: '1700000000000250000',
      eventName: 'an.event',
      body: { kvlistValue: { values: [{ key: 'big', value: { intValue: '9007199254740991' } }] } },
      traceId: 'a'.repeat(32),
    };
    const body = { resourceLogs: [{ scopeLogs: [{ scope: { name: 'logger' }, logRecords: [record] }] }] };
    await fetch(`${receiver.url}/v1/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify(body)),
    });
    const [log] = receiver.logs;
    assert.equal(log?.timeMs, 1_700_000_000_000.25);
    assert.deepEqual(log?.body, { big: Number.MAX_SAFE_INTEGER });
    assert.equal(log?.eventName, 'an.event');
    assert.equal(log?.traceId, 'a'.repeat(32));
    assert.equal(log?.spanId, undefined);
    assert.equal(log?.scope, 'logger');
  });
});

describe('a receiver that waits in vain', () => {
  it('says what it received and refused instead', async () => {
    const receiver = await startReceiver();
    try {
      const answer = await fetch(`${receiver.url}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: 'x',
      });
      assert.equal(answer.status, 400);
      await assert.rejects(
        receiver.waitFor(({ spans }) => spans[0], 1),
        /Not received in 1 ms.*application\/x-protobuf instead of http\/json/,
      );
      await assert.rejects(
        receiver.waitFor(() => assert.fail('the predicate itself')),
        /the predicate itself/,
      );
    } finally {
      await receiver.close();
    }
  });

  it('refuses what is no JSON', async () => {
    const receiver = await startReceiver();
    try {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${receiver.url}/v1/traces`, { method: 'POST', headers, body: '{' });
      assert.equal(answer.status, 400);
      assert.match(receiver.refused.join(), /SyntaxError/);
    } finally {
      await receiver.close();
    }
  });
});

describe('millis', () => {
  it('keeps fractions of a millisecond of a present time', () => {
    assert.equal(millis('1800000000123250000'), 1_800_000_000_123.25);
    assert.equal(millis('0'), 0);
  });
});
