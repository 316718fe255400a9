import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findResource, ownResource } from '../../../src/still-blocked/resource.ts';
import { exportSettings } from '../../../src/still-blocked/settings.ts';

const urls = (env: Record<string, string>): (string | undefined)[] => {
  const { logs, metrics } = exportSettings(env);
  return [logs?.url, metrics?.url];
};

describe('where the thread exports to', () => {
  test('the default receiver, where nothing is configured', () => {
    const settings = exportSettings({});
    assert.deepEqual(settings, {
      logs: {
        url: 'http://localhost:4318/v1/logs',
        headers: {},
        timeoutMs: 10_000,
        caFile: undefined,
        certFile: undefined,
        keyFile: undefined,
      },
      metrics: { ...settings.logs, url: 'http://localhost:4318/v1/metrics' },
      metricIntervalMs: 60_000,
      problems: [],
    });
  });

  test('a base endpoint gets the path of each signal, an endpoint of a signal’s own is taken as it is', () => {
    assert.deepEqual(urls({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp/' }), [
      'https://collector.example/otlp/v1/logs',
      'https://collector.example/otlp/v1/metrics',
    ]);
    assert.deepEqual(
      urls({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:1',
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://b:2/my/logs?key=1',
      }),
      ['http://b:2/my/logs?key=1', 'http://a:1/v1/metrics'],
    );
  });

  test('headers, timeouts and files of a signal’s own go over the general ones', () => {
    const { logs, metrics, metricIntervalMs } = exportSettings({
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20a, x-a = 1,broken',
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'x-a=2,x-b=%zz',
      OTEL_EXPORTER_OTLP_TIMEOUT: '2000',
      OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '3000',
      OTEL_EXPORTER_OTLP_CERTIFICATE: '/ca.pem',
      OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: '/logs-ca.pem',
      OTEL_METRIC_EXPORT_INTERVAL: '500',
    });
    assert.deepEqual(logs?.headers, { authorization: 'Bearer a', 'x-a': '2', 'x-b': '%zz' });
    assert.deepEqual(metrics?.headers, { authorization: 'Bearer a', 'x-a': '1' });
    assert.deepEqual([logs?.timeoutMs, metrics?.timeoutMs], [2000, 3000]);
    assert.deepEqual([logs?.caFile, metrics?.caFile], ['/logs-ca.pem', '/ca.pem']);
    assert.equal(metricIntervalMs, 500);
  });

  test('a number that is none counts as not given', () => {
    for (const bad of ['', ' ', 'soon', '-1', '0', 'Infinity']) {
      const { logs, metricIntervalMs } = exportSettings({
        OTEL_EXPORTER_OTLP_TIMEOUT: bad,
        OTEL_METRIC_EXPORT_INTERVAL: bad,
      });
      assert.deepEqual([logs?.timeoutMs, metricIntervalMs], [10_000, 60_000], bad);
    }
  });

  test('a signal whose exporter is not OTLP is not sent', () => {
    assert.deepEqual(urls({ OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'prometheus, otlp' }), [
      undefined,
      'http://localhost:4318/v1/metrics',
    ]);
    assert.deepEqual(urls({ OTEL_LOGS_EXPORTER: 'console', OTEL_METRICS_EXPORTER: 'none' }), [undefined, undefined]);
  });

  test('an application that exports by gRPC: the HTTP port beside the usual one, or a problem that says what to set', () => {
    const grpc = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    assert.equal(urls(grpc)[0], 'http://localhost:4318/v1/logs');
    assert.equal(urls({ ...grpc, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' })[0], 'http://c:4318/v1/logs');
    assert.equal(urls({ ...grpc, OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4317' })[0], 'http://c:4318/v1/logs');
    const { logs, metrics, problems } = exportSettings({ ...grpc, OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c:443' });
    assert.deepEqual([logs, metrics], [undefined, undefined]);
    assert.match(problems[0]!, /OTEL_EXPORTER_OTLP_LOGS_ENDPOINT and _PROTOCOL to an OTLP\/HTTP receiver/);
    assert.equal(problems.length, 2);
    const own = {
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://d:1/v1/logs',
    };
    assert.equal(
      urls({ ...grpc, OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c:443', ...own })[0],
      'http://d:1/v1/logs',
      'the signal’s own protocol counts',
    );
  });

  test('an endpoint that is no URL for HTTP is a problem, and no default', () => {
    for (const bad of ['collector', 'ftp://c/', 'http://']) {
      const { logs, problems } = exportSettings({ OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: bad });
      assert.equal(logs, undefined, bad);
      assert.match(problems[0]!, /is no URL for HTTP/);
    }
  });
});

describe('the resource', () => {
  test('without an SDK is what the variables and the process say', () => {
    const { 'host.name': host, ...rest } = ownResource({
      OTEL_SERVICE_NAME: 'orders',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,deployment.environment.name=a%20b',
    });
    assert.ok(host);
    assert.deepEqual(rest, {
      'service.name': 'orders',
      'deployment.environment.name': 'a b',
      'process.pid': process.pid,
      'process.runtime.name': 'nodejs',
      'process.runtime.version': process.versions.node,
    });
    assert.equal(ownResource({ OTEL_RESOURCE_ATTRIBUTES: 'service.name=other' })['service.name'], 'other');
    assert.match(String(ownResource({})['service.name']), /^unknown_service:/);
  });

  test('of an SDK is taken from a recorded span, when its last attributes are known', async () => {
    const found: object[] = [];
    assert.equal(
      findResource({}, () => assert.fail()),
      false,
      'a span that is not recorded has none',
    );
    assert.equal(
      findResource({ resource: { attributes: { a: 'b', list: [1, 2] } } }, (r) => void found.push(r)),
      true,
    );
    let settle = (): void => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const resource = {
      asyncAttributesPending: true,
      attributes: { 'host.id': 'x' },
      waitForAsyncAttributes: () => settled,
    };
    assert.equal(
      findResource({ resource }, (r) => void found.push(r)),
      true,
    );
    assert.deepEqual(found, [{ a: 'b', list: ['1', '2'] }]);
    settle();
    await settled;
    assert.deepEqual(found[1], { 'host.id': 'x' });
  });
});
