/** An ordinary OpenTelemetry set-up, as a service has it before it ever heard of loopblame. */
import { isMainThread } from 'node:worker_threads';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';

// Worker threads inherit --import, and this one's only job is to talk to Kafka.
if (isMainThread) {
  new NodeSDK({
    instrumentations: [new HttpInstrumentation(), new PgInstrumentation({ ignoreConnectSpans: true })],
  }).start();
}
