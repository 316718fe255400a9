// node-rdkafka's own calls, callbacks and events in spans, as `BROKERS=… node node-rdkafka.mjs SCENARIO`.
import { SpanKind } from '@opentelemetry/api';
import rdkafka from 'node-rdkafka';
import { burn, inSpan, sleep, timed, truth } from './lib.mjs';

const { HighLevelProducer, KafkaConsumer, Producer } = rdkafka;
const topic = 'orders';
const group = `program-${process.pid}`;
const BURN_MS = 60;
/** How many messages a scenario is about. */
const COUNT = 3;

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

/** Batch by batch: a consumer whose messages flow crashes or hangs now and then when it disconnects. */
function keepConsuming(consumer) {
  let goesOn = true;
  const next = () => {
    if (goesOn) consumer.consume(COUNT, next);
  };
  next();
  return () => {
    goesOn = false;
  };
}

function produce(producer, partition, opaque) {
  const headers = [{ h: 'secret header' }];
  return producer.produce(topic, partition, Buffer.from('secret body'), 'secret key', null, opaque, headers);
}

async function produceSome(partition) {
  const producer = await openProducer({ dr_cb: true });
  producer.setPollInterval(10);
  let left = COUNT;
  const done = new Promise((resolve) => producer.on('delivery-report', () => --left === 0 && resolve()));
  for (let i = 0; i < COUNT; i++) produce(producer, partition);
  await done;
  await disconnect(producer);
}

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
    await disconnect(consumer);
  },

  /** Does not wait for it. */
  async 'commit soon'() {
    const consumer = await openConsumer();
    const spanId = await request(() => {
      consumer.commitMessage({ topic, partition: 1, offset: 4 });
      consumer.commit([
        { topic, partition: 0, offset: 1 },
        { topic: 'other', partition: 0, offset: 1 },
      ]);
    });
    truth({ spanId });
    await disconnect(consumer);
  },

  /** A consumer through which messages have flowed ends its thread on the loop's. */
  async disconnect() {
    const consumer = await openConsumer();
    consumer.consume();
    await new Promise((resolve) => consumer.once('data', resolve));
    let ms;
    const spanId = await request(async () => {
      await sleep(300);
      ms = timed(function leave() {
        consumer.disconnect();
      });
    });
    truth({ spanId, ms });
    await new Promise((resolve) => consumer.once('disconnected', resolve));
  },

  /** Waits for a `consume(n)` that waits for messages, whether the token is accepted or not. */
  async token() {
    const consumer = await openConsumer({ partition: 1 });
    const consumed = new Promise((resolve) => consumer.consume(1, resolve));
    let ms;
    const spanId = await request(async () => {
      await sleep(50);
      ms = timed(function refresh() {
        try {
          consumer.setOauthBearerToken('secret token');
        } catch {}
      });
    });
    truth({ spanId, ms });
    await consumed;
    await disconnect(consumer);
  },

  /** What the listeners of reports do is their producer's time, where the report names the message. */
  async reports() {
    const producer = await openProducer({ dr_cb: true });
    producer.setPollInterval(20);
    const shared = { name: 'shared' };
    const slow = Array.from({ length: COUNT }, (_, i) => ({ name: `slow ${i}` }));
    const opaques = [...slow, { name: 'quick' }, undefined, shared, shared];
    const reports = [];
    producer.on('delivery-report', function onReport(_error, report) {
      const name = report.opaque?.name;
      if (name?.startsWith('slow')) burn(BURN_MS);
      reports.push({ name, offset: report.offset });
    });
    const spanId = await request(async () => {
      for (const opaque of opaques) produce(producer, 0, opaque);
      while (reports.length < opaques.length) await sleep(20);
    });
    truth({ spanId, reports });
    await disconnect(producer);
  },

  async 'high-level'() {
    const producer = await openProducer({}, HighLevelProducer);
    // the longer way: the message is handed over after the call has returned
    producer.setValueSerializer(async (value) => {
      await sleep(5);
      return Buffer.from(value);
    });
    for (let i = 0; i < COUNT; i++) {
      let offset;
      const spanId = await request(
        () =>
          new Promise((resolve) => {
            producer.produce(topic, 0, 'secret body', 'secret key', null, function delivered(error, at) {
              offset = error ? String(error) : at;
              burn(BURN_MS);
              resolve();
            });
          }),
      );
      truth({ spanId, offset });
    }
    await disconnect(producer);
  },

  async failed() {
    const producer = await openProducer();
    const spanId = await request(() => {
      try {
        producer.produce(topic, 0, 'secret body');
      } catch (error) {
        truth({ message: error.message });
      }
    });
    truth({ spanId });
    await disconnect(producer);
  },

  /** Messages as they come: `data` in a span of each. */
  async data() {
    await produceSome(3);
    const consumer = await openConsumer({ partition: 3 });
    const seen = [];
    const stop = keepConsuming(consumer);
    await new Promise((resolve) => {
      consumer.on('data', async function onData({ partition, offset }) {
        burn(BURN_MS);
        const spanId = await inSpan('inside', () => sleep(1));
        seen.push({ spanId, partition, offset });
        if (seen.length === COUNT) resolve();
      });
    });
    stop();
    truth({ group, seen });
    await disconnect(consumer);
  },

  /** The listener's own span does the work. */
  async inner() {
    await produceSome(3);
    const consumer = await openConsumer({ partition: 3 });
    const stop = keepConsuming(consumer);
    const spanId = await new Promise((resolve) => {
      consumer.once('data', function onData() {
        inSpan('inner', () => burn(BURN_MS)).then(resolve);
      });
    });
    stop();
    truth({ spanId });
    await disconnect(consumer);
  },

  /** Messages by the batch: the callback in a span, as nobody listens to `data`. */
  async batch() {
    await produceSome(2);
    const consumer = await openConsumer({ partition: 2 });
    const seen = [];
    await new Promise((resolve) => {
      const poll = () =>
        consumer.consume(COUNT, async function onBatch(_error, messages) {
          if (messages.length === 0) return poll();
          burn(BURN_MS);
          const spanId = await inSpan('inside', () => {});
          seen.push({ spanId, count: messages.length });
          if (seen.reduce((sum, { count }) => sum + count, 0) >= COUNT) resolve();
          else poll();
        });
      poll();
    });
    truth({ seen });
    await disconnect(consumer);
  },
};

await scenarios[process.argv[2]]();
