import { loadNativeClient } from '../native-client.mjs';
import { topics } from '../settings.mjs';

const { KAFKA_BROKERS, PARTITION, RUN } = process.env;

/** A consumer of this worker's own partition of the paid orders, which decides itself when a message is dealt with. */
export async function connectConsumer(options = {}) {
  const { KafkaConsumer } = loadNativeClient();
  const consumer = new KafkaConsumer(
    {
      'bootstrap.servers': KAFKA_BROKERS,
      'group.id': `orders-service-${RUN}`,
      'enable.auto.commit': false,
      ...options,
    },
    { 'auto.offset.reset': 'latest' },
  );
  await connect(consumer);
  consumer.assign([{ topic: topics.paid, partition: Number(PARTITION) }]);
  return consumer;
}

export async function connectProducer() {
  const { Producer } = loadNativeClient();
  const producer = new Producer({ 'bootstrap.servers': KAFKA_BROKERS, dr_cb: true, 'queue.buffering.max.ms': 0 });
  await connect(producer);
  producer.setPollInterval(100);
  return producer;
}

function connect(client) {
  return new Promise((resolve, reject) => client.connect({}, (error) => (error ? reject(error) : resolve())));
}
