// All that can be seen of kafkajs' calls and callbacks, for a comparison with and without loopblame.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createRequire } from 'node:module';
import { gunzipSync, gzipSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { sleep } from './lib.mjs';
import { attempt, see, seeMethods, shapeOf, tell } from './side-by-side.mjs';

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const require = createRequire(import.meta.url);
// a topic of this run's own: offsets count from 0
const topic = `calls-${process.pid}`;
const kafka = new Kafka({ brokers: [process.env.BROKERS], clientId: 'calls', logLevel: logLevel.NOTHING });
const als = new AsyncLocalStorage();

/** How a promise ended, and whether the call had returned by then. */
async function settled(what, call) {
  let returned = false;
  try {
    const promise = call();
    see(`${what} returned`, [promise instanceof Promise, promise.constructor.name]);
    promise.then(
      () => see(`${what}: fulfilled after it returned`, returned),
      () => see(`${what}: rejected after it returned`, returned),
    );
    returned = true;
    const result = await promise;
    see(`${what} gave`, result);
    return result;
  } catch (error) {
    see(`${what} failed`, error);
    return undefined;
  }
}

// What is patched, as other code of kafkajs (or another instrumentation) sees it
for (const file of [
  'producer/groupMessagesPerPartition',
  'protocol/recordBatch/record/v0',
  'protocol/recordBatch/record/v0/decoder',
  'protocol/recordBatch/v0/decoder',
  'protocol/messageSet/decoder',
  'consumer/runner',
  'producer/index',
  'consumer/index',
]) {
  see(file, shapeOf(require(`kafkajs/src/${file}`)));
}
const { RecordBatch, ...others } = require('kafkajs/src/protocol/recordBatch/v0');
see('recordBatch', [shapeOf(RecordBatch), others]);
const Encoder = require('kafkajs/src/protocol/encoder');
seeMethods('Encoder', Encoder.prototype, Object.getOwnPropertyNames(Encoder.prototype));
const SocketRequest = require('kafkajs/src/network/requestQueue/socketRequest');
seeMethods('SocketRequest', SocketRequest.prototype, Object.getOwnPropertyNames(SocketRequest.prototype));
const Runner = require('kafkajs/src/consumer/runner');
seeMethods(
  'Runner',
  Runner.prototype,
  Object.getOwnPropertyNames(Runner.prototype).filter((n) => n !== 'consuming'),
);
seeMethods('Kafka', Kafka.prototype, Object.getOwnPropertyNames(Kafka.prototype));

// The steps by themselves
const group = require('kafkajs/src/producer/groupMessagesPerPartition');
const partitionMetadata = [{ partitionId: 0 }, { partitionId: 1 }];
const list = [{ value: 'a' }, { value: 'b' }, { value: 'c' }];
const grouped = group({
  topic,
  partitionMetadata,
  messages: list,
  partitioner: ({ message }) => Number(message === list[1]),
});
see('group', [grouped, grouped[1][0] === list[1]]);
attempt('group nothing', () => group({ topic, partitionMetadata: [], messages: list }));
attempt('group badly', () => group({ topic, partitionMetadata, messages: undefined }));
attempt('group without arguments', () => group());
const partitioner = () => {
  throw new RangeError('no partition');
};
attempt('group with a bad partitioner', () => group({ topic, partitionMetadata, messages: list, partitioner }));
const Record = require('kafkajs/src/protocol/recordBatch/record/v0');
attempt(
  'Record',
  () => Record({ offsetDelta: 1, key: Buffer.from('k'), value: 'v', headers: { h: ['1', '2'] } }).buffer,
);
attempt('Record of nothing', () => Record());
const records = [Record({ key: 'k', value: 'x'.repeat(100_000) })];
const batch = { records, firstTimestamp: 1, maxTimestamp: 1 };
const encoded = await settled('RecordBatch', () => RecordBatch(batch).then((encoder) => encoder.size()));
see('a record batch is the same', encoded);
attempt('writeEncoder of nothing', () => new Encoder().writeEncoder());
const whole = new Encoder();
see('writeEncoder returned itself', whole.writeEncoder(await RecordBatch(batch)) === whole);
const Decoder = require('kafkajs/src/protocol/decoder');
const decode = require('kafkajs/src/protocol/recordBatch/v0/decoder');
const decoded = await decode(new Decoder(whole.buffer));
see('decoded', [Object.keys(decoded), decoded.records.length, decoded.records[0].key, decoded.records[0].value.length]);
await settled('decode half', () => decode(new Decoder(whole.buffer.subarray(0, 1000))));

// Producing
const producer = kafka.producer();
see('producer', Object.keys(producer));
await settled('send before connect', () => producer.send({ topic, messages: [{ value: 'x' }] }));
await settled('connect', () => producer.connect());
await settled('send', () =>
  producer.send({ topic, messages: [{ key: 'k', value: 'one', partition: 0, headers: { h: 'v' } }] }),
);
await settled('send no topic', () => producer.send({ messages: [{ value: 'x' }] }));
await settled('send no value', () => producer.send({ topic, messages: [{}] }));
await settled('send no messages', () => producer.send({ topic }));
await settled('send a number', () => producer.send({ topic, messages: [{ value: 12, partition: 0 }] }));
attempt('send nothing', () => producer.send().catch(() => {}) instanceof Promise);
await settled('sendBatch', () =>
  producer.sendBatch({
    topicMessages: [
      {
        topic,
        messages: [
          { value: 'two', partition: 0 },
          { value: 'three', partition: 0 },
        ],
      },
    ],
  }),
);
await settled('send by gzip', () =>
  producer.send({ topic, compression: CompressionTypes.GZIP, messages: [{ value: 'four', partition: 0 }] }),
);
await settled('send by a codec that is not there', () =>
  producer.send({ topic, compression: CompressionTypes.Snappy, messages: [{ value: 'x', partition: 0 }] }),
);
// an application's own codec, synchronous as some are
let decompressed;
const codec = {
  compress(encoder) {
    see('compress', [this === codec, encoder.constructor.name, encoder.size()]);
    return gzipSync(encoder.buffer);
  },
  decompress(buffer) {
    decompressed = [this === codec, Buffer.isBuffer(buffer)];
    return gunzipSync(buffer);
  },
};
CompressionCodecs[CompressionTypes.LZ4] = () => codec;
await settled('send by a codec of one’s own', () =>
  als.run('sending', () =>
    producer.send({ topic, compression: CompressionTypes.LZ4, messages: [{ value: 'five', partition: 0 }] }),
  ),
);
/** Runs until the function given for each batch or message is told to stop. */
async function consume(name, config) {
  const consumer = kafka.consumer({ groupId: `${topic}-${name}`, maxWaitTimeInMs: 50, retry: { retries: 0 } });
  see(`${name} consumer`, Object.keys(consumer));
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise((resolve) => {
    const given = config(resolve, consumer);
    const functions = { ...given };
    als.run(name, () => settled(`${name} run`, () => consumer.run(given)));
    see(
      `${name}: what was given is as it was`,
      Object.keys(given).every((key) => given[key] === functions[key]),
    );
  });
  await settled(`${name} disconnect`, () => consumer.disconnect());
}

const COUNT = 5;
await consume('eachMessage', (resolve) => {
  const values = [];
  return {
    async eachMessage(...args) {
      const [{ message, ...payload }] = args;
      if (values.length === 0) {
        see('eachMessage', { self: this.constructor.name, length: args.length, payload, store: als.getStore() });
        see('message', Object.keys(message));
      }
      values.push([message.offset, message.value, message.headers]);
      // the next one must wait for this
      await sleep(1);
      values.push('awaited');
      if (values.length === 2 * COUNT) {
        see('messages', values);
        resolve();
      }
    },
  };
});

await consume('eachBatch', (resolve) => {
  const values = [];
  return {
    eachBatchAutoResolve: true,
    eachBatch: async function onBatch(...args) {
      const [{ batch: received, ...payload }] = args;
      if (values.length === 0) {
        see('eachBatch', { self: this.constructor.name, length: args.length, payload, batch: Object.keys(received) });
      }
      values.push(...received.messages.map(({ value }) => value));
      if (values.length === COUNT) {
        see('batches', values);
        resolve();
      }
    },
  };
});

// not async, and fails: the consumer crashes with the very error
const thrown = new SyntaxError('from eachMessage');
await consume('throwing', (resolve, consumer) => {
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    see('crash', [payload.error.cause === thrown || payload.error === thrown, payload.error.name, payload.restart]);
    resolve();
  });
  return {
    eachMessage() {
      throw thrown;
    },
  };
});

await consume('not a promise', (resolve) => ({
  eachMessage() {
    resolve();
    return 'not a promise';
  },
}));

see('decompress', decompressed);
await settled('disconnect', () => producer.disconnect());
const first = producer.disconnect();
see('each call its own promise', first === producer.disconnect());
await first;

tell(group, 'partitionMetadata');
process.exit();
