/**
 * A Kafka broker without a Kafka: librdkafka's own mock cluster, which listens on a real port and takes its time to
 * answer. In a process of its own, like the real thing.
 */
import { attach } from './child.mjs';
import { loadNativeClient } from './native-client.mjs';
import { settings, topics } from './settings.mjs';

attach(async () => {
  const { HighLevelProducer } = loadNativeClient();
  const cluster = new HighLevelProducer({
    'bootstrap.servers': '',
    'test.mock.num.brokers': 1,
    'test.mock.broker.rtt': settings.roundTripMs,
  });
  const metadata = await new Promise((resolve, reject) => {
    cluster.connect({ timeout: 10_000 }, (error, data) => (error ? reject(error) : resolve(data)));
  });
  // A topic exists from its first message on, and nothing can be acknowledged on one that does not exist.
  await Promise.all(
    Object.values(topics).map(
      (topic) =>
        new Promise((resolve, reject) => {
          cluster.produce(topic, null, Buffer.from('first'), null, null, (error) =>
            error ? reject(error) : resolve(),
          );
        }),
    ),
  );
  const [{ host, port }] = metadata.brokers;
  return { address: `${host}:${port}` };
});
