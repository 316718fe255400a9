// kafkajs' own calls and callbacks in spans, as `BROKERS=… node kafkajs.mjs SCENARIO`.
import { SpanKind } from '@opentelemetry/api';
import kafkajs from 'kafkajs';
import { busy, inSpan, sleep, timed, truth } from './lib.mjs';

const { CompressionTypes, Kafka, logLevel } = kafkajs;
const topic = 'orders';
const MESSAGES = 10_000;
const BUSY_MS = 80;

const kafka = new Kafka({ brokers: [process.env.BROKERS], clientId: 'program', logLevel: logLevel.NOTHING });
const messages = (count = MESSAGES) =>
  Array.from({ length: count }, (_, i) => ({ key: `secret key ${i}`, value: `secret body ${'x'.repeat(300)}` }));
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
  // the topic's metadata, and compiled code
  await producer.send({ topic, messages: messages(100) });
  return producer;
}

async function openConsumer() {
  const consumer = kafka.consumer({ groupId: `program-${process.pid}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  return consumer;
}

async function send(compression) {
  const producer = await openProducer();
  const batch = messages();
  let callMs;
  let turnMs;
  const spanId = await request(async () => {
    turnMs = await standstill(() => {
      let sent;
      callMs = timed(() => {
        sent = producer.send({ topic, messages: batch, compression });
      });
      return sent;
    });
  });
  truth({ spanId, callMs, turnMs });
  await producer.disconnect();
}

const scenarios = {
  send: () => send(CompressionTypes.None),
  gzip: () => send(CompressionTypes.GZIP),

  /** A consumer that is run within a span. */
  async consume() {
    const producer = await openProducer();
    await producer.send({ topic, messages: messages(5000), compression: CompressionTypes[process.argv[3] ?? 'None'] });
    await producer.disconnect();
    const consumer = await openConsumer();
    let count = 0;
    const spanId = await inSpan('consuming', async () => {
      await new Promise((resolve) => {
        consumer.run({
          eachBatch: async function onBatch({ batch }) {
            count += batch.messages.length;
            if (count >= 5000) resolve();
          },
        });
      });
    });
    truth({ spanId, count });
    await consumer.disconnect();
  },

  /** The user's function, up to its first await. */
  async callback() {
    const producer = await openProducer();
    await producer.disconnect();
    for (const kind of ['eachMessage', 'eachBatch']) {
      const consumer = kafka.consumer({ groupId: `program-${process.pid}-${kind}`, maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      let ms;
      let insideId;
      const spanId = await inSpan('consuming', async () => {
        await new Promise((resolve) => {
          consumer.run({
            async [kind]() {
              if (ms !== undefined) return;
              ms = timed(() => busy(BUSY_MS));
              insideId = await inSpan('inside', () => {});
              await sleep(20);
              resolve();
            },
          });
        });
      });
      truth({ kind, spanId, insideId, ms });
      await consumer.disconnect();
    }
  },
};

await scenarios[process.argv[2]]();
