import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { metrics, trace } from '@opentelemetry/api';
import type { Instrumentation } from '@opentelemetry/instrumentation';

/** What is used of `@opentelemetry/sdk-node`, in both lines. */
interface SdkNode {
  NodeSDK: new (configuration: { instrumentations: Instrumentation[] }) => Sdk & { start(): void };
}
export interface Sdk {
  shutdown(): Promise<void>;
}
interface HttpInstrumentationModule {
  HttpInstrumentation: new () => Instrumentation;
}

/** The SDK and what comes with it: loaded before anything is measured, for loading takes longer than most blocks. */
export interface LoadedSdk {
  readonly http: Instrumentation | undefined;
  start(instrumentations: Instrumentation[]): Sdk;
}

/** Whether somebody registered an SDK already, for traces or for metrics. */
export function sdkIsRegistered(): boolean {
  const tracers = trace.getTracerProvider() as { getDelegate?(): object };
  const tracerProvider = tracers.getDelegate?.() ?? tracers;
  return !isNoop(tracerProvider) || !isNoop(metrics.getMeterProvider());
}

const isNoop = (provider: object): boolean => /^Noop/.test(provider.constructor.name);

/** `undefined` where the application has none installed. */
export function loadSdk(): LoadedSdk | undefined {
  const sdkNode = requireOptional<SdkNode>('@opentelemetry/sdk-node');
  if (!sdkNode) return undefined;
  const http = requireOptional<HttpInstrumentationModule>('@opentelemetry/instrumentation-http');
  return {
    http: http && new http.HttpInstrumentation(),
    start(instrumentations) {
      const sdk = new sdkNode.NodeSDK({ instrumentations });
      sdk.start();
      return sdk;
    },
  };
}

/** Sends what the registered providers hold; they run on. */
export async function flushProviders(): Promise<void> {
  const tracers = trace.getTracerProvider() as { getDelegate?(): object };
  const providers: { forceFlush?(): Promise<void> }[] = [
    tracers.getDelegate?.() ?? tracers,
    metrics.getMeterProvider(),
  ];
  await Promise.allSettled(providers.map((provider) => provider.forceFlush?.()));
}

/**
 * An optional peer: as this package sees it, or else as the application does. The two differ where the package is
 * linked into the application (`npm link`, `file:`): then it is resolved from where it really is.
 */
function requireOptional<T>(name: string): T | undefined {
  const main = process.argv[1];
  const places = [import.meta.url, main && isAbsolute(main) ? main : undefined, join(process.cwd(), 'main.js')];
  for (const place of places) {
    if (!place) continue;
    const require = createRequire(place);
    try {
      require.resolve(name);
    } catch {
      continue;
    }
    return require(name) as T;
  }
  return undefined;
}
