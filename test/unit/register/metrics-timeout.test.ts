import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withMetricsTimeout } from '../../../src/register/metrics-timeout.ts';

const NAME = 'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT';

/** What the exporters read, and what is there afterwards. */
function read(env: NodeJS.ProcessEnv): [string | undefined, string | undefined] {
  const during = withMetricsTimeout(() => env[NAME], env);
  return [during, env[NAME]];
}

test('an export has ended before the next one begins', () => {
  assert.deepEqual(read({ OTEL_METRIC_EXPORT_INTERVAL: '1000' }), ['800', undefined]);
  assert.deepEqual(read({ OTEL_METRIC_EXPORT_INTERVAL: ' 12499 ' }), ['10000', undefined]);
  assert.deepEqual(read({ OTEL_METRIC_EXPORT_INTERVAL: '1000', [NAME]: ' ' }), ['800', ' '], 'empty: not set');
});

test("nothing changes where the exporter's own limit is shorter, or there is no interval", () => {
  for (const interval of ['12500', '60000', '0', '-1', 'soon', '', undefined]) {
    assert.deepEqual(read({ OTEL_METRIC_EXPORT_INTERVAL: interval }), [undefined, undefined], interval);
  }
});

test('a limit that is set stands', () => {
  const interval = { OTEL_METRIC_EXPORT_INTERVAL: '1000' };
  assert.deepEqual(read({ ...interval, [NAME]: '7000' }), ['7000', '7000']);
  assert.deepEqual(read({ ...interval, OTEL_EXPORTER_OTLP_TIMEOUT: '7000' }), [undefined, undefined]);
});

test('the environment is as before where the set-up fails', () => {
  const env = { OTEL_METRIC_EXPORT_INTERVAL: '1000' };
  assert.throws(() =>
    withMetricsTimeout(() => {
      throw new Error('no SDK');
    }, env),
  );
  assert.deepEqual(env, { OTEL_METRIC_EXPORT_INTERVAL: '1000' });
});
