import { createSyncFn } from 'synckit';

const send = createSyncFn(new URL('./flush-worker.mjs', import.meta.url));

/** Sends one message and returns when Kafka has it, for callers that cannot await. */
export function flushSync(topic, message) {
  return send(topic, message);
}
