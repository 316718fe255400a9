// node-rdkafka's own calls, callbacks and events in spans, as `BROKERS=… node node-rdkafka.mjs SCENARIO`.
import { SpanKind } from '@opentelemetry/api';
import rdkafka from 'node-rdkafka';
import { busy, inSpan, sleep, timed, truth } from './lib.mjs';

const { HighLevelProducer, KafkaConsumer, Producer } = rdkafka;
const topic = 'orders';
const group = `program-${process.pid}`;
const BUSY_MS = 80;

const connect = (client) =>
  new Promise((resolve, reject) => client.connect({ timeout: 20_000 }, (error) => (error ? reject(error) : resolve())));
const disconnect = (client) => new Promise((resolve) => client.disconnect(resolve));
const request = (fn) => inSpan('request', fn, { kind: SpanKind.SERVER });

async function openProducer(settings = {}, Class = Producer) {
  const producer = new Class({ 'bootstrap.servers': process.env.BROKERS, 'client.id': 'program', ...settings });
  await connect(producer);
  return producer;
}

async function openConsumer({ partition = 0, offset = 0 } = {}) {
  const settings = { 'bootstrap.servers': process.env.BROKERS, 'group.id': group, 'enable.auto.commit': false };
  const consumer = new KafkaConsumer(settings, { 'auto.offset.reset': 'earliest' });
  await connect(consumer);
  consumer.assign([{ topic, partition, offset }]);
  return consumer;
}

const produced = (producer, partition, opaque) =>
  producer.produce(topic, partition, Buffer.from('secret body'), 'secret key', null, opaque, [{ h: 'secret header' }]);

const scenarios = {
  /** Waits for the broker on the loop's thread. */
  async commit() {
    const consumer = await openConsumer();
    // the first one looks for the group's coordinator as well
    consumer.commitSync({ topic, partition: 0, offset: 1 });
    for (const call of ['commitMessageSync', 'commitSync']) {
      let ms;
      const spanId = await request(async () => {
        await sleep(3);
        ms = timed(function acknowledge() {
          if (call === 'commitSync') consumer.commitSync({ topic, partition: 2, offset: 7 });
          else consumer.commitMessageSync({ topic, partition: 0, offset: 41 });
        });
      });
      truth({ call, spanId, ms });
    }
    const spanId = await request(() => {
      consumer.commitMessage({ topic, partition: 1, offset: 4 });
      consumer.commit([
        { topic, partition: 0, offset: 1 },
        { topic: 'other', partition: 0, offset: 1 },
      ]);
    });
    truth({ call: 'commit', spanId });
    await disconnect(consumer);
  },

  /** What the reports of messages do is their producers' time, where the report names the message. */
  async 'delivery-report'() {
    const producer = await openProducer({ dr_cb: true });
    producer.setPollInterval(20);
    const reports = [];
    producer.on('delivery-report', function onReport(_error, report) {
      const ms = report.opaque?.slow ? timed(() => busy(BUSY_MS)) : 0;
      reports.push({ name: report.opaque?.name, partition: report.partition, offset: report.offset, ms });
    });
    const opaques = [{ name: 'slow', slow: true }, { name: 'quick' }, undefined, shared, shared];
    const spanId = await request(async () => {
      for (const [i, opaque] of opaques.entries()) produced(producer, i % 4, opaque);
    });
    while (reports.length < opaques.length) await sleep(20);
    truth({ spanId, reports });
    await disconnect(producer);
  },

  /** Messages whose reports nobody polls for: their spans end with the producer. */
  async 'no-report'() {
    const producer = await openProducer({ dr_cb: true });
    const spanId = await request(() => produced(producer, 0, { name: 'lost' }));
    await disconnect(producer);
    truth({ spanId });
  },

  async 'high-level'() {
    const producer = await openProducer({}, HighLevelProducer);
    // the longer way: the message is handed over after the call has returned
    producer.setValueSerializer(async (value) => {
      await sleep(5);
      return Buffer.from(value);
    });
    let ms;
    let offset;
    const spanId = await request(
      () =>
        new Promise((resolve) => {
          producer.produce(topic, 1, 'secret body', 'secret key', null, function delivered(error, at) {
            offset = error ? String(error) : at;
            ms = timed(() => busy(BUSY_MS));
            resolve();
          });
        }),
    );
    truth({ spanId, ms, offset });
    await disconnect(producer);
  },

  async failed() {
    const producer = await openProducer();
    let message;
    const spanId = await request(() => {
      try {
        producer.produce(topic, 0, 12);
      } catch (error) {
        message = error.message;
      }
    });
    truth({ spanId, message });
    await disconnect(producer);
  },

  /** Messages as they come: `data` in a span of each. */
  async data() {
    await produceSome(3);
    const consumer = await openConsumer({ partition: 3 });
    const seen = [];
    await new Promise((resolve) => {
      consumer.on('data', async function onData(message) {
        const spanId = await inSpan('inside', () => {});
        seen.push({ spanId, partition: message.partition, offset: message.offset });
        if (seen.length === 3) resolve();
      });
      consumer.once('data', function onFirst() {
        seen.ms = timed(() => busy(BUSY_MS));
      });
      consumer.consume();
    });
    truth({ group, seen, ms: seen.ms });
    let ms;
    const spanId = await request(async () => {
      await sleep(300);
      ms = timed(function leave() {
        consumer.disconnect();
      });
    });
    truth({ call: 'disconnect', spanId, ms });
    await new Promise((resolve) => consumer.once('disconnected', resolve));
  },

  /** Messages by the batch: the callback in a span, as nobody listens to `data`. */
  async batch() {
    await produceSome(3);
    const consumer = await openConsumer({ partition: 3 });
    let ms;
    let insideId;
    const batch = await new Promise((resolve) => {
      consumer.setDefaultConsumeTimeout(1000);
      const poll = () =>
        consumer.consume(10, function onBatch(_error, messages) {
          if (messages.length === 0) return poll();
          ms = timed(() => busy(BUSY_MS));
          inSpan('inside', () => {}).then((spanId) => {
            insideId = spanId;
            resolve(messages);
          });
        });
      poll();
    });
    truth({ ms, insideId, count: batch.length });
    await disconnect(consumer);
  },
};

const shared = { name: 'shared' };

async function produceSome(count) {
  const producer = await openProducer({ dr_cb: true });
  producer.setPollInterval(10);
  let left = count;
  const done = new Promise((resolve) => producer.on('delivery-report', () => --left === 0 && resolve()));
  for (let i = 0; i < count; i++) produced(producer, 3);
  await done;
  await disconnect(producer);
}

await scenarios[process.argv[2]]();
