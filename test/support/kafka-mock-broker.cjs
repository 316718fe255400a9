/**
 * The mock cluster of librdkafka, in a process of its own so that it answers while a client blocks, and can be stopped.
 * Started by kafka-mock.ts: RTT_MS TOPIC…
 */
const { HighLevelProducer } = require('node-rdkafka');

const [rttMs, ...topics] = process.argv.slice(2);
const producer = new HighLevelProducer({
  'bootstrap.servers': '',
  'test.mock.num.brokers': 1,
  // the round trip is fixed when the cluster is made; 0 is refused
  ...(Number(rttMs) > 0 && { 'test.mock.broker.rtt': Number(rttMs) }),
});

// whoever started it is gone
process.on('disconnect', () => process.exit());

producer.connect({ timeout: 10_000 }, async (error, metadata) => {
  if (error) throw error;
  // a topic must exist before anybody commits to it, and the mock makes one only when somebody produces
  for (const topic of topics) await produceOne(topic);
  const [{ host, port }] = metadata.brokers;
  process.send({ brokers: `${host}:${port}` });
});

function produceOne(topic) {
  return new Promise((resolve, reject) => {
    producer.produce(topic, 0, Buffer.from('first'), null, null, (error) => (error ? reject(error) : resolve()));
  });
}
