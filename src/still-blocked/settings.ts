import { DEFAULT_OTLP_TIMEOUT_MS, positive, text } from '../otel-env.ts';

/** Where one signal goes. */
export interface ExportTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Files for TLS. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface ExportSettings {
  /** `undefined`: not by OTLP. */
  readonly logs: ExportTarget | undefined;
  readonly metrics: ExportTarget | undefined;
  readonly metricIntervalMs: number;
  /** What keeps a signal from being sent although it is asked for. */
  readonly problems: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;
type Signal = 'LOGS' | 'METRICS';

const DEFAULT_ENDPOINT = 'http://localhost:4318';
const DEFAULT_INTERVAL_MS = 60_000;
/** The ports on which an OTLP receiver listens by default: gRPC has one of its own. */
const GRPC_PORT = '4317';
const HTTP_PORT = '4318';

/**
 * Where the thread sends what it has to say, by OpenTelemetry's own `OTEL_*` variables. It speaks `http/json`, which
 * every OTLP/HTTP receiver takes beside protobuf; the application's own protocol does not matter but for gRPC, whose
 * receiver listens on another port.
 */
export function exportSettings(env: Env): ExportSettings {
  const problems: string[] = [];
  return {
    logs: target(env, 'LOGS', problems),
    metrics: target(env, 'METRICS', problems),
    metricIntervalMs: positive(env['OTEL_METRIC_EXPORT_INTERVAL']) ?? DEFAULT_INTERVAL_MS,
    problems,
  };
}

function target(env: Env, signal: Signal, problems: string[]): ExportTarget | undefined {
  const exporters = list(env[`OTEL_${signal}_EXPORTER`]);
  if (exporters.length > 0 && !exporters.includes('otlp')) return undefined;
  const of = (name: string): string | undefined =>
    text(env[`OTEL_EXPORTER_OTLP_${signal}_${name}`]) ?? text(env[`OTEL_EXPORTER_OTLP_${name}`]);
  const { url, problem } = endpoint(env, signal, of('PROTOCOL') === 'grpc');
  if (!url) {
    problems.push(`${signal.toLowerCase()} of a loop that is still blocked are not sent: ${problem}`);
    return undefined;
  }
  return {
    url,
    headers: {
      ...headers(env['OTEL_EXPORTER_OTLP_HEADERS']),
      ...headers(env[`OTEL_EXPORTER_OTLP_${signal}_HEADERS`]),
    },
    timeoutMs: positive(of('TIMEOUT')) ?? DEFAULT_OTLP_TIMEOUT_MS,
    caFile: of('CERTIFICATE'),
    certFile: of('CLIENT_CERTIFICATE'),
    keyFile: of('CLIENT_KEY'),
  };
}

/** The URL as it is posted to, or why there is none. */
function endpoint(env: Env, signal: Signal, isGrpc: boolean): { url?: string; problem?: string } {
  const own = text(env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
  const given = own ?? text(env['OTEL_EXPORTER_OTLP_ENDPOINT']) ?? DEFAULT_ENDPOINT;
  // those for gRPC need no scheme
  const url = parsed(isGrpc && !given.includes('://') ? `http://${given}` : given);
  if (!url) return { problem: `${given} is no URL for HTTP` };
  const path = `v1/${signal.toLowerCase()}`;
  if (!isGrpc) return { url: own ? url.href : withPath(url, path) };
  if (url.port === GRPC_PORT) url.port = HTTP_PORT;
  else if (given !== DEFAULT_ENDPOINT) {
    const names = `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT and _PROTOCOL`;
    return { problem: `they can't go by gRPC; set ${names} to an OTLP/HTTP receiver and http/json` };
  }
  return { url: withPath(url, path) };
}

function withPath(url: URL, path: string): string {
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${path}`;
  return url.href;
}

function parsed(given: string): URL | undefined {
  try {
    const url = new URL(given);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
  } catch {
    return undefined;
  }
}

/** `key=value,key2=value2`, percent-encoded; as headers and resource attributes are given. */
export function pairs(given: string | undefined): Record<string, string> {
  const result: Record<string, string> = {};
  for (const pair of list(given)) {
    const at = pair.indexOf('=');
    if (at <= 0) continue;
    result[pair.slice(0, at).trim()] = decoded(pair.slice(at + 1).trim());
  }
  return result;
}

const headers = (given: string | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(pairs(given)).map(([name, value]) => [name.toLowerCase(), value]));

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const list = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
