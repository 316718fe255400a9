/** The worker thread behind flushSync: here sending may be awaited. */
import { Kafka, logLevel } from 'kafkajs';
import { runAsWorker } from 'synckit';

let connected;

function connect() {
  const kafka = new Kafka({ brokers: [process.env.KAFKA_BROKERS], logLevel: logLevel.ERROR });
  const producer = kafka.producer();
  return producer.connect().then(() => producer);
}

runAsWorker(async (topic, message) => {
  connected ??= connect();
  const producer = await connected;
  return producer.send({ topic, messages: [{ value: message }] });
});
