// Culprits that are no ordinary span of the SDK: `node outsiders.mjs exporter | provider`. With an SDK of its own.
import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { EventLoopInstrumentation } from 'loopblame';
import { busy, sleep, timed, truth } from './lib.mjs';

/** Sends on what it gets, and holds the loop once, as exporters that serialise much do. */
class HoldingExporter {
  #inner = new OTLPTraceExporter();
  ms = 0;
  export(spans, done) {
    if (process.argv[2] === 'exporter' && this.ms === 0) this.ms = this.holdInExport();
    this.#inner.export(spans, done);
  }
  holdInExport() {
    return timed(() => busy(150));
  }
  shutdown() {
    return this.#inner.shutdown();
  }
}

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const exporter = new HoldingExporter();
const provider = new BasicTracerProvider({
  spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 50 })],
});
trace.setGlobalTracerProvider(provider);
const meterProvider = new MeterProvider({
  readers: [
    new PeriodicExportingMetricReader({
      exporter: new OTLPMetricExporter(),
      exportIntervalMillis: 200,
      exportTimeoutMillis: 150,
    }),
  ],
});
metrics.setGlobalMeterProvider(meterProvider);
registerInstrumentations({ instrumentations: [new EventLoopInstrumentation()] });
await sleep(300);

if (process.argv[2] === 'exporter') {
  // a request ends; while the next one is in flight, the first one's export holds the loop
  const first = trace.getTracer('app').startSpan('first');
  const next = trace.getTracer('app').startSpan('next');
  await context.with(trace.setSpan(context.active(), next), async () => {
    first.end();
    await sleep(400);
  });
  next.end();
  truth({ ms: exporter.ms });
} else {
  // a provider that is not the global one
  const other = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())] });
  const span = other.getTracer('other').startSpan('of another provider');
  let ms = 0;
  await context.with(trace.setSpan(context.active(), span), async () => {
    await sleep(5);
    ms = timed(() => busy(150));
    await sleep(50);
  });
  span.end();
  await other.forceFlush();
  truth({ ms, spanId: span.spanContext().spanId });
}
await sleep(400);
await provider.shutdown();
await meterProvider.shutdown();
