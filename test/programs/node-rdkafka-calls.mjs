// All that can be seen of node-rdkafka's calls, callbacks and events, for a comparison with and without loopblame.
import { createRequire } from 'node:module';
import rdkafka from 'node-rdkafka';
import { sleep } from './lib.mjs';
import { attempt, noting, see, seeMethods, shapeOf, tell } from './side-by-side.mjs';

const { HighLevelProducer, KafkaConsumer, Producer } = rdkafka;
const Client = createRequire(import.meta.url)('node-rdkafka/lib/client.js');
// a topic of this run's own: offsets count from 0
const topic = `calls-${process.pid}`;
const settings = { 'bootstrap.servers': process.env.BROKERS };
const inGroup = { ...settings, 'group.id': topic, 'enable.auto.commit': false, 'enable.auto.offset.store': false };
const fromStart = { 'auto.offset.reset': 'earliest' };

const called = (start) => new Promise((resolve) => start(resolve));
/** Resolves when the callback that `start` gets was called: what it got is noted, and whether the call had returned. */
const noted = (what, start) =>
  called((resolve) => {
    const result = start(noting(what, resolve));
    see(`${what} returned`, typeof result);
  });
const connected = (what, client) =>
  called((resolve) => {
    const result = client.connect({ timeout: 20_000 }, (...args) => {
      see(`${what} connect called back`, [args.length, args[0], Object.keys(args[1]).sort()]);
      resolve();
    });
    see(`${what} connect returned itself`, result === client);
  });

seeMethods('Client', Client.prototype, [
  'connect',
  'disconnect',
  'getMetadata',
  'offsetsForTimes',
  'queryWatermarkOffsets',
  'setOauthBearerToken',
]);
see('emit', shapeOf(Client.prototype.emit));
seeMethods('KafkaConsumer', KafkaConsumer.prototype, Object.keys(KafkaConsumer.prototype));
seeMethods('Producer', Producer.prototype, Object.keys(Producer.prototype));
seeMethods('HighLevelProducer', HighLevelProducer.prototype, Object.keys(HighLevelProducer.prototype));
see('a copy of it is the same', Producer.prototype._disconnect === Client.prototype.disconnect);

// Not connected
const producer = new Producer({ ...settings, dr_cb: true });
const consumer = KafkaConsumer(inGroup, fromStart);
see('properties', [Object.keys(producer), Object.keys(consumer)]);
attempt('produce', () => producer.produce(topic, 0, Buffer.from('x')));
attempt('poll', () => producer.poll());
attempt('flush', () => producer.flush(10, noting('flush')));
attempt('disconnect', () => producer.disconnect(10, noting('disconnect')));
attempt('getMetadata', () => producer.getMetadata({}, noting('getMetadata')));
attempt('getMetadata without callback', () => producer.getMetadata({}));
attempt('queryWatermarkOffsets', () => consumer.queryWatermarkOffsets(topic, 0, 100, noting('queryWatermarkOffsets')));
attempt('queryWatermarkOffsets without callback', () => consumer.queryWatermarkOffsets(topic, 0));
attempt('offsetsStore', () => consumer.offsetsStore([{ topic, partition: 0, offset: 1 }]));
attempt('commitMessageSync of nothing', () => consumer.commitMessageSync());
attempt('commitMessage of nothing', () => consumer.commitMessage(null));
attempt('commitSync', () => consumer.commitSync({ topic, partition: 0, offset: 1 }));
attempt('commit', () => consumer.commit({ topic, partition: 0, offset: 1 }));
attempt('commit of nonsense', () => consumer.commit(12));
attempt('assign', () => consumer.assign([{}]));
attempt('consume', () => consumer.consume(10, 'no function'));
attempt('setOauthBearerToken', () => consumer.setOauthBearerToken(''));
attempt('on another object', () => KafkaConsumer.prototype.commitSync.call({}, null));
attempt('on nothing', () => Producer.prototype.produce.call(undefined, topic));

await connected('producer', producer);
await connected('consumer', consumer);
await called((resolve) => producer.connect({}, resolve));

// Producing: results, errors, reports
const opaques = [{ any: 'object' }, 'text', 7, undefined, { again: true }];
opaques.push(opaques[4]);
const reports = [];
const onReport = function (...args) {
  reports.push({ self: this === producer, length: args.length, error: args[0], report: args[1] });
};
producer.on('delivery-report', onReport);
see('listeners', [
  producer.listeners('delivery-report')[0] === onReport,
  producer.rawListeners('delivery-report').length,
  producer.listenerCount('delivery-report'),
  producer.eventNames().map(String),
]);
for (const opaque of opaques)
  attempt('produce', () => producer.produce(topic, 0, Buffer.from('m'), 'k', 1, opaque, [{ h: 'v' }]));
attempt('produce too little', () => producer.produce(topic));
attempt('produce no topic', () => producer.produce({ topic }, 0, Buffer.from('x')));
attempt('produce no buffer', () => producer.produce(topic, 0, 12));
see('poll returned itself', producer.poll() === producer);
see('setPollInterval', typeof producer.setPollInterval(20));
while (reports.length < opaques.length) await sleep(10);
see(
  'reports',
  reports.map(({ report, ...rest }) => ({ ...rest, offset: report.offset, keys: Object.keys(report) })),
);
see(
  'opaques are the very same',
  reports.every(({ report }, i) => report.opaque === opaques[i]),
);
await called((resolve) => {
  see('flush returned itself', producer.flush(1000, noting('flush', resolve)) === producer);
});
await noted('flush without timeout', (callback) => producer.flush(null, callback));
attempt('flush without callback', () => producer.flush(1000) === producer);
see('off', producer.off('delivery-report', onReport).listenerCount('delivery-report'));
await noted('initTransactions', (callback) => producer.initTransactions(200, callback));
await noted('beginTransaction', (callback) => producer.beginTransaction(callback));
await noted('getMetadata', (callback) =>
  producer.getMetadata({ topic, timeout: 5000 }, (error, metadata) =>
    callback(
      error,
      metadata.topics.some((t) => t.name === topic),
    ),
  ),
);

// A producer that calls back for each message
const high = new HighLevelProducer(settings);
await connected('high', high);
see('high', [Object.keys(high), shapeOf(high.produce), shapeOf(high._oldProduce)]);
see('its produce is the prototype’s', high.produce === HighLevelProducer.prototype._modifiedProduce);
await noted('high produce', (callback) => high.produce(topic, 0, Buffer.from('h'), null, 1, callback));
await noted('high produce, headers', (callback) => high.produce(topic, 0, Buffer.from('h'), null, 1, [], callback));
await noted('high produce, bad', (callback) => high.produce({}, 0, Buffer.from('h'), null, 1, callback));
high.setValueSerializer(() => {
  throw new RangeError('not today');
});
await noted('high produce, bad serializer', (callback) => high.produce(topic, 0, 1, null, 1, callback));
high.setValueSerializer((value, callback) => setImmediate(callback, null, Buffer.from(value)));
await noted('high produce, slow serializer', (callback) => high.produce(topic, 0, 'later', null, 1, callback));
await noted('high disconnect', (callback) =>
  high.disconnect((error, metrics) => callback(error, Object.keys(metrics))),
);

// Consuming
attempt('subscription', () => consumer.subscription());
see('assign returned itself', consumer.assign([{ topic, partition: 0, offset: 0 }]) === consumer);
attempt('assignments', () => consumer.assignments().length);
const order = [];
const onData = function (...args) {
  const [{ offset, headers }] = args;
  order.push(`data ${offset}`);
  see('data', { self: this === consumer, length: args.length, offset, headers });
};
consumer.once('data', onData);
consumer.on('data', (message) => order.push(`second ${message.offset}`));
see('once', [consumer.listeners('data')[0] === onData, consumer.rawListeners('data')[0].listener === onData]);
let messages = [];
while (messages.length < 8) {
  messages = messages.concat(
    await called((resolve) => {
      const result = consumer.consume(8 - messages.length, function (...args) {
        order.push('callback');
        // how many calls it takes is chance
        if (messages.length === 0) see('consume called back', { self: this === undefined, length: args.length });
        resolve(args[1]);
      });
      order.push(`returned ${typeof result}`);
    }),
  );
}
see(
  'messages',
  messages.map(({ offset, value, key, size }) => ({ offset, value, key, size })),
);
see('once is over', consumer.listenerCount('data'));
see('first data, first callback', [order[0], order[1], order.indexOf('callback') > order.indexOf('second 0')]);
attempt('position', () => consumer.position([{ topic, partition: 0 }]).length);
attempt('offsetsStore', () => consumer.offsetsStore([{ topic, partition: 0, offset: 1 }]));
attempt('pause', () => consumer.pause([{ topic, partition: 0 }]));
attempt('resume', () => consumer.resume([{ topic, partition: 0 }]));
see('commitMessageSync returned itself', consumer.commitMessageSync(messages[0]) === consumer);
see('commitSync returned itself', consumer.commitSync({ topic, partition: 0, offset: 2 }) === consumer);
see('commitMessage returned itself', consumer.commitMessage(messages[3]) === consumer);
see('commit returned itself', consumer.commit([{ topic, partition: 0, offset: 2 }]) === consumer);
attempt('commitSync of nothing stored', () => new KafkaConsumer(inGroup).commitSync(null));
await noted('committed', (callback) =>
  consumer.committed([{ topic, partition: 0 }], 5000, (error, places) => callback(error, places.length)),
);
await noted('committed, without places', (callback) =>
  consumer.committed(5000, (error, places) => callback(error, places.length)),
);
await noted('seek', (callback) => consumer.seek({ topic, partition: 0, offset: 0 }, 1000, callback));
await noted('queryWatermarkOffsets', (callback) => consumer.queryWatermarkOffsets(topic, 0, 5000, callback));
await noted('offsetsForTimes', (callback) =>
  consumer.offsetsForTimes([{ topic, partition: 0, offset: 1 }], 5000, (error, places) =>
    callback(error, places.length),
  ),
);

// Events as an application may use them itself
const thrown = new SyntaxError('from a listener');
consumer.removeAllListeners('data');
see('emit to nobody', consumer.emit('data', messages[0]));
consumer.once('data', () => {
  throw thrown;
});
try {
  consumer.emit('data', messages[0]);
} catch (error) {
  see('emit threw the very error', error === thrown);
}
consumer.on('data', (...args) => see('emitted', args.length));
see('emit', [consumer.emit('data', messages[0], 2, 3), consumer.emit('other'), consumer.emit(Symbol('none'))]);
attempt('emit on nothing', () => Client.prototype.emit.call(null, 'data'));
consumer.removeAllListeners('data');

// Flowing
await called((resolve) => {
  const result = consumer.consume((...args) => {
    if (args[1]?.offset !== 7) return;
    see('flowing', args.length);
    resolve();
  });
  see('consume returned', typeof result);
});
// within the callback it would crash the process
await sleep(50);
await noted('consumer disconnect', (callback) =>
  consumer.disconnect((error, metrics) => callback(error, Object.keys(metrics))),
);

// Streams
const stream = KafkaConsumer.createReadStream({ ...inGroup, 'group.id': `${topic}-stream` }, fromStart, {
  topics: topic,
});
const streamed = await called((resolve) => stream.once('data', resolve));
see('stream', [streamed.offset, streamed.value]);
await noted('stream close', (callback) => stream.close(callback));
const written = Producer.createWriteStream(settings, {}, { topic });
await noted('stream write', (callback) => written.write(Buffer.from('w'), callback));
await noted('stream end', (callback) => written.close(callback));

await noted('producer disconnect', (callback) =>
  producer.disconnect(1000, (error, metrics) => callback(error, Object.keys(metrics))),
);
see('disconnect again', typeof producer._disconnect());

tell(KafkaConsumer.prototype.commitSync, '_errorWrap');
process.exit();
