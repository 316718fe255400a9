import { topics } from '../settings.mjs';

/** Tells Kafka that the order's message is dealt with. Returns when Kafka knows. */
export function ackOrder(consumer, order) {
  consumer.commitMessageSync(messageOf(order));
}

/** Tells Kafka that the order's message is dealt with. Returns at once: `offset.commit` tells when Kafka knows. */
export function ackOrderSoon(consumer, order) {
  consumer.commitMessage(messageOf(order));
}

function messageOf(order) {
  return { topic: topics.paid, partition: Number(process.env.PARTITION), offset: order.kafka_offset };
}
