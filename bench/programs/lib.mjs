// What the measured programs share: an SDK with or without loopblame, and answers to the bench that forked them.
import { createRequire } from 'node:module';

/** Loading through it passes OpenTelemetry's hooks. */
export const require = createRequire(import.meta.url);

/** `node PROGRAM with|without …` */
export const [variant, ...args] = process.argv.slice(2);

/** Spans are batched and dropped: serialising and sending them would hide what loopblame costs. */
const nowhere = { export: (_spans, done) => done({ code: 0 }), shutdown: async () => {}, forceFlush: async () => {} };

/** Starts an SDK as an application does: http and pg instrumented, and loopblame where it is asked for. */
export function startSdk({ config = {} } = {}) {
  const { NodeSDK, tracing } = require('@opentelemetry/sdk-node');
  const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
  const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg');
  const instrumentations = [new HttpInstrumentation(), new PgInstrumentation()];
  if (variant === 'with') {
    const { EventLoopInstrumentation } = require(process.env.BENCH_DIST ?? '../../dist/index.cjs');
    instrumentations.push(new EventLoopInstrumentation(config));
  }
  const sdk = new NodeSDK({
    spanProcessors: [new tracing.BatchSpanProcessor(nowhere)],
    metricReaders: [],
    logRecordProcessors: [],
    resourceDetectors: [],
    instrumentations,
  });
  sdk.start();
}

/** Answers the bench's questions, by name; ends with it. */
export function answer(questions) {
  process.on('message', async ({ id, question, argument }) => {
    process.send({ id, answer: await questions[question](argument) });
  });
  process.on('disconnect', () => process.exit());
}

/** CPU time of all threads so far, in milliseconds. */
export function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}
