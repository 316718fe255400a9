// kafkajs' own calls and callbacks in spans, as `BROKERS=… node kafkajs.mjs SCENARIO`.
import { SpanKind } from '@opentelemetry/api';
import kafkajs from 'kafkajs';
import { burn, inSpan, sleep, timed, truth } from './lib.mjs';

const { CompressionTypes, Kafka, logLevel } = kafkajs;
// a topic of this run's own
const topic = `program-${process.pid}`;
const BURN_MS = 60;

const kafka = new Kafka({ brokers: [process.env.BROKERS], clientId: 'program', logLevel: logLevel.NOTHING });
const messages = (count) =>
  Array.from({ length: count }, (_, i) => ({ key: `key ${i}`, value: `body ${'x'.repeat(300)}` }));
const request = (fn) => inSpan('request', fn, { kind: SpanKind.SERVER });

/** The longest time that no timer could run while `fn` was at work. */
async function standstill(fn) {
  let last = performance.now();
  let longest = 0;
  const look = () => {
    const at = performance.now();
    longest = Math.max(longest, at - last);
    last = at;
  };
  const timer = setInterval(look, 1);
  await sleep(5);
  longest = 0;
  await fn();
  look();
  clearInterval(timer);
  return longest;
}

async function openProducer() {
  const producer = kafka.producer();
  await producer.connect();
  // the topic, its metadata, and compiled code
  await producer.send({ topic, messages: messages(100) });
  return producer;
}

async function openConsumer(group) {
  const consumer = kafka.consumer({ groupId: `${topic}-${group}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  return consumer;
}

async function send(compression) {
  const producer = await openProducer();
  const batch = messages(10_000);
  let callMs;
  let turnMs;
  const spanId = await request(async () => {
    turnMs = await standstill(async function sendAll() {
      let sent;
      callMs = timed(() => {
        sent = producer.send({ topic, messages: batch, compression });
      });
      await sent;
    });
  });
  truth({ spanId, callMs, turnMs });
  await producer.disconnect();
}

async function consume(compression) {
  const producer = await openProducer();
  await producer.send({ topic, messages: messages(5000), compression });
  await producer.disconnect();
  const consumer = await openConsumer('consume');
  let count = 0;
  const spanId = await inSpan('consuming', async () => {
    await new Promise((resolve) => {
      consumer.run({
        eachBatch: async ({ batch }) => {
          count += batch.messages.length;
          if (count >= 5100) resolve();
        },
      });
    });
  });
  truth({ spanId, count });
  await consumer.disconnect();
}

const scenarios = {
  send: () => send(CompressionTypes.None),
  'send gzip': () => send(CompressionTypes.GZIP),

  /** A consumer that is run within a span. */
  consume: () => consume(CompressionTypes.None),
  'consume gzip': () => consume(CompressionTypes.GZIP),

  /** The user's functions, up to their first await. */
  async callback() {
    const producer = await openProducer();
    const requestId = await request(() => producer.send({ topic, messages: messages(2) }));
    await producer.disconnect();
    truth({ topic, requestId });
    // at once: joining a group takes the mock broker three seconds
    await Promise.all(
      ['eachMessage', 'eachBatch'].map(async (kind) => {
        const consumer = await openConsumer(kind);
        let insideId;
        const spanId = await inSpan('consuming', async () => {
          await new Promise((resolve) => {
            consumer.run({
              async [kind]() {
                if (insideId) return;
                burn(BURN_MS);
                insideId = await inSpan('inside', () => {});
                await sleep(20);
                resolve();
              },
            });
          });
        });
        truth({ kind, spanId, insideId });
        await consumer.disconnect();
      }),
    );
  },
};

await scenarios[process.argv.slice(2).join(' ')]();
