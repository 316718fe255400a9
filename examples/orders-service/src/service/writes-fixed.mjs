import { topics } from '../settings.mjs';
import { connectConsumer, connectProducer } from './kafka.mjs';
import { ackOrderSoon } from './offsets.mjs';

/** Both writes hand their message to the client and go on; Kafka's answers come later, and are looked at. */
export async function openWrites(meter) {
  const [consumer, producer] = await Promise.all([connectConsumer({ offset_commit_cb: true }), connectProducer()]);
  const acknowledging = [];
  consumer.on('offset.commit', (error) => acknowledging.shift()?.(error));
  // Answers to commits are handed out while messages are being consumed.
  consumer.consume();
  producer.on('delivery-report', (error, report) => report.opaque?.(error));

  const writes = {
    acknowledge(order) {
      acknowledging.push(meter.writeBegins());
      ackOrderSoon(consumer, order);
    },
    place(order) {
      producer.produce(topics.placed, null, Buffer.from(JSON.stringify(order)), null, Date.now(), meter.writeBegins());
    },
  };
  writes.acknowledge({ kafka_offset: 0 });
  writes.place({ warmUp: true });
  await meter.idle();
  return writes;
}
