const TIMEOUT = 'OTEL_EXPORTER_OTLP_METRICS_TIMEOUT';
/** `exporter.otlp.timeout` of the specification. */
const DEFAULT_MS = 10_000;
/** Of the interval: something must be left of it for the loop to be empty in. */
const PART = 0.8;

/**
 * Sets up what exports metrics so that an export has ended, delivered or not, before the next begins: while one is under
 * way, and tried again, the SDK's timers keep the process, and with a collector that is not there the next takes over from
 * it for ever. Nothing changes where a time limit is set, nor for intervals over 12.5 s.
 */
export function withMetricsTimeout<T>(setUp: () => T, env: NodeJS.ProcessEnv = process.env): T {
  const intervalMs = Number(env['OTEL_METRIC_EXPORT_INTERVAL']?.trim() || Number.NaN);
  const isSet = [TIMEOUT, 'OTEL_EXPORTER_OTLP_TIMEOUT'].some((name) => env[name]?.trim());
  if (isSet || !(intervalMs > 0 && intervalMs * PART < DEFAULT_MS)) return setUp();
  env[TIMEOUT] = `${Math.ceil(intervalMs * PART)}`;
  try {
    return setUp();
  } finally {
    // the application's own exporters, and its child processes, read the same
    delete env[TIMEOUT];
  }
}
