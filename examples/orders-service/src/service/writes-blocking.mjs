import { topics } from '../settings.mjs';
import { flushSync } from './flush-sync.mjs';
import { connectConsumer } from './kafka.mjs';
import { ackOrder } from './offsets.mjs';

/** Both writes wait for Kafka, and with them everything else in the process. */
export async function openWrites(meter) {
  const consumer = await connectConsumer();
  // The first of each looks up the coordinator or connects: not the story, and no request's business.
  ackOrder(consumer, { kafka_offset: 0 });
  flushSync(topics.placed, 'warm-up');
  return {
    acknowledge(order) {
      const answered = meter.writeBegins();
      ackOrder(consumer, order);
      answered();
    },
    place(order) {
      const answered = meter.writeBegins();
      flushSync(topics.placed, JSON.stringify(order));
      answered();
    },
  };
}
