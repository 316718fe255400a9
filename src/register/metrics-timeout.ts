import { DEFAULT_OTLP_TIMEOUT_MS, positive, text } from '../otel-env.ts';

const TIMEOUT = 'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT';
/** Of the interval: something must be left of it for the loop to be empty in. */
const PART = 0.8;

/**
 * Sets up what exports metrics so that an export has ended, delivered or not, before the next begins: while one is under
 * way, and tried again, the SDK's timers keep the process, and with a collector that is not there the next takes over from
 * it for ever. Nothing changes where a time limit is set, nor for intervals over 12.5 s.
 */
export function withMetricsTimeout<T>(setUp: () => T, env: NodeJS.ProcessEnv = process.env): T {
  const limitMs = PART * (positive(env['OTEL_METRIC_EXPORT_INTERVAL']) ?? Number.POSITIVE_INFINITY);
  const isSet = text(env[TIMEOUT]) ?? text(env['OTEL_EXPORTER_OTLP_TIMEOUT']);
  if (isSet || limitMs >= DEFAULT_OTLP_TIMEOUT_MS) return setUp();
  const before = env[TIMEOUT];
  env[TIMEOUT] = `${Math.ceil(limitMs)}`;
  try {
    return setUp();
  } finally {
    // the application's own exporters, and its child processes, read the same
    if (before === undefined) delete env[TIMEOUT];
    else env[TIMEOUT] = before;
  }
}
