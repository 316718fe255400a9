import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { Exporter } from '../../../src/still-blocked/exporter.ts';
import { Double, logsRequest, metricsRequest, type Origin } from '../../../src/still-blocked/otlp.ts';
import { startReceiver } from '../../support/receiver.ts';

const origin: Origin = {
  resource: { 'service.name': 'orders', 'process.pid': 7, 'process.command_args': ['node', 'a b'] },
  scope: { name: 'loopblame', version: '1.2.3' },
};

const sent = (send: (exporter: Exporter) => void): Promise<Exporter> =>
  new Promise((resolve) => {
    const exporter = new Exporter(createRequire(import.meta.url), () => {});
    send(exporter);
    const timer = setInterval(() => {
      if (exporter.pending > 0) return;
      clearInterval(timer);
      resolve(exporter);
    }, 5);
  });

test('a real receiver reads back what was written', async () => {
  const receiver = await startReceiver();
  const target = (signal: string) => ({ url: `${receiver.url}/v1/${signal}`, headers: {}, timeoutMs: 10_000 });
  const timeMs = 1_795_513_075_503.25;
  const exporter = await sent((exporter) => {
    exporter.send(
      target('logs'),
      logsRequest(origin, {
        timeMs,
        severity: 'WARN',
        eventName: 'event_loop.still_blocked',
        body: 'Überlang: "q" \u2028',
        attributes: { text: 'ä', whole: 3, real: 0.25, yes: true, list: ['a', 'b'], none: undefined },
        traceId: '0123456789abcdef0123456789abcdef',
        spanId: '0123456789abcdef',
        traceFlags: 1,
      }),
    );
    exporter.send(
      target('metrics'),
      metricsRequest(origin, {
        name: 'event_loop.lag',
        unit: 's',
        description: 'd',
        timeMs,
        value: 2,
        attributes: { a: 1 },
      }),
    );
  });
  await receiver.close();
  assert.deepEqual(receiver.refused, []);
  assert.equal(exporter.lost, 0);
  const resource = { 'service.name': 'orders', 'process.pid': 7, 'process.command_args': ['node', 'a b'] };
  assert.deepEqual(receiver.logs, [
    {
      scope: 'loopblame',
      resource,
      timeMs,
      eventName: 'event_loop.still_blocked',
      severity: 'WARN',
      body: 'Überlang: "q" \u2028',
      traceId: '0123456789abcdef0123456789abcdef',
      spanId: '0123456789abcdef',
      attributes: { text: 'ä', whole: 3, real: 0.25, yes: true, list: ['a', 'b'] },
    },
  ]);
  assert.deepEqual(receiver.metrics, [
    {
      scope: 'loopblame',
      resource,
      name: 'event_loop.lag',
      unit: 's',
      attributes: { a: 1 },
      timeMs,
      type: 'gauge',
      value: 2,
    },
  ]);
});

test('numbers are written as the protocol has them: severities, flags, 64-bit integers as text', () => {
  const written = JSON.parse(
    JSON.stringify(
      logsRequest(origin, {
        timeMs: 1.5,
        severity: 'ERROR',
        eventName: 'e',
        body: 'b',
        attributes: { n: 2 ** 53, s: new Double(2) },
      }),
    ),
  );
  const [record] = written.resourceLogs[0].scopeLogs[0].logRecords;
  assert.deepEqual(record, {
    timeUnixNano: '1500000',
    observedTimeUnixNano: '1500000',
    severityNumber: 17,
    severityText: 'ERROR',
    eventName: 'e',
    body: { stringValue: 'b' },
    attributes: [
      { key: 'n', value: { doubleValue: 2 ** 53 } },
      { key: 's', value: { doubleValue: 2 } },
    ],
  });
  assert.deepEqual(written.resourceLogs[0].resource.attributes[1], { key: 'process.pid', value: { intValue: '7' } });
});
