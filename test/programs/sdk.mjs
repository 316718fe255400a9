// Preloaded for programs with an SDK of their own. INSTRUMENTATIONS: which ones, in the order of their registration.
import { register } from 'node:module';
import { KafkaJsInstrumentation } from '@opentelemetry/instrumentation-kafkajs';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { EventLoopInstrumentation } from 'loopblame';

register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);

const known = {
  kafkajs: () => new KafkaJsInstrumentation(),
  loopblame: () => new EventLoopInstrumentation(),
};
const instrumentations = process.env.INSTRUMENTATIONS.split(' ').map((name) => known[name]());
const sdk = new NodeSDK({ instrumentations });
sdk.start();

process.once('beforeExit', async () => {
  for (const instrumentation of instrumentations) instrumentation.settle?.();
  await sdk.shutdown();
});
