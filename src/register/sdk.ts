import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { metrics, trace } from '@opentelemetry/api';
import type { Instrumentation } from '@opentelemetry/instrumentation';
import { withMetricsTimeout } from './metrics-timeout.ts';

/** What is used of the optional packages, in both lines of the SDK. */
interface SdkNode {
  NodeSDK: new (configuration: { instrumentations: Instrumentation[] }) => { start(): void };
}
interface InstrumentationHttp {
  HttpInstrumentation: new () => Instrumentation;
}

/** A tracer, meter or logger provider of the SDK. */
interface Provider {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** A started SDK. What fails to be sent is the exporters' to say: nothing here rejects. */
export interface Sdk {
  flush(): Promise<void>;
  flushSpans(): Promise<void>;
  shutdown(): Promise<void>;
}

/** An SDK that is loaded, but does nothing yet. */
export interface LoadedSdk {
  /** Where `@opentelemetry/instrumentation-http` is installed. */
  readonly http: Instrumentation | undefined;
  start(instrumentations: Instrumentation[]): Sdk;
}

/** Whether somebody has registered an SDK already, for traces or for metrics. */
export function isSdkRegistered(): boolean {
  return !isNoop(tracerProvider()) || !isNoop(metrics.getMeterProvider());
}

const isNoop = (provider: object): boolean => provider.constructor.name.startsWith('Noop');

function tracerProvider(): object {
  const provider = trace.getTracerProvider() as { getDelegate?(): object };
  return provider.getDelegate?.() ?? provider;
}

/** `undefined` where none is installed. */
export function loadSdk(): LoadedSdk | undefined {
  const sdkNode = requireOptional<SdkNode>('@opentelemetry/sdk-node');
  if (!sdkNode) return undefined;
  const instrumentationHttp = requireOptional<InstrumentationHttp>('@opentelemetry/instrumentation-http');
  return {
    http: instrumentationHttp && new instrumentationHttp.HttpInstrumentation(),
    start(instrumentations) {
      const sdk = withMetricsTimeout(() => {
        const made = new sdkNode.NodeSDK({ instrumentations });
        made.start();
        return made;
      });
      return ofProviders(Object.values<unknown>({ ...sdk }).filter(isProvider));
    },
  };
}

/** NodeSDK's own shutdown() ends as soon as one exporter has failed, and it has no flush: so its providers are asked. */
function ofProviders(providers: readonly Provider[]): Sdk {
  const spans = providers.filter((provider) => provider === tracerProvider());
  return {
    flush: () => settled(providers, (provider) => provider.forceFlush()),
    flushSpans: () => settled(spans, (provider) => provider.forceFlush()),
    shutdown: () => settled(providers, (provider) => provider.shutdown()),
  };
}

async function settled(providers: readonly Provider[], act: (provider: Provider) => Promise<void>): Promise<void> {
  await Promise.allSettled(providers.map(async (provider) => act(provider)));
}

function isProvider(value: unknown): value is Provider {
  const { forceFlush, shutdown } = (value ?? {}) as Partial<Provider>;
  return typeof forceFlush === 'function' && typeof shutdown === 'function';
}

/**
 * An optional peer: as this package sees it, or else as the application does. They differ where this package is linked
 * into the application (`npm link`, `file:`), for it is resolved from where it really is.
 */
function requireOptional<T>(name: string): T | undefined {
  const main = process.argv[1];
  const places = [import.meta.url, join(process.cwd(), 'app.js')];
  if (main && isAbsolute(main)) places.splice(1, 0, main);
  for (const place of places) {
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
