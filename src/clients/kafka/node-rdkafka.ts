import { type Span, SpanKind } from '@opentelemetry/api';
import { type Call, defineClient, type SpanRule } from '../define.ts';
import { activeSpan } from '../tools.ts';
import { commonPlace, messagingAttributes, spanName, type TopicPlace } from './attributes.ts';
import { Deliveries } from './deliveries.ts';

/**
 * node-rdkafka: librdkafka's C API on the loop's thread. Few of its calls wait there, and those for a network round trip
 * each. Its callbacks come from a uv_async and have lost the context: whose they are is kept from the call.
 *
 * No official instrumentation covers it, so it gets spans of ours. They are not propagated: a message's headers are the
 * application's argument, which we don't touch, and so a consumer's span has no link to the producer's.
 */

const deliveries = new Deliveries();

/** `produce(topic, partition, message, key, timestamp, opaque, headers)` */
const producedTo = ({ args }: Call): TopicPlace => ({ topic: args[0], partition: args[1] });

const send: SpanRule = {
  kind: SpanKind.PRODUCER,
  name: (call) => spanName('send', producedTo(call)),
  attributes: (call) => messagingAttributes('send', producedTo(call), call.self.globalConfig),
};

/** `commit(place | places | null)`: the offset there is the next message's, no message's own. */
const committed = ({ args }: Call): TopicPlace =>
  commonPlace([args[0] ?? []].flat().map(({ topic, partition }: TopicPlace) => ({ topic, partition })));

const settle = (placeOf: (call: Call) => TopicPlace): SpanRule => ({
  kind: SpanKind.CLIENT,
  name: (call) => spanName('commit', placeOf(call)),
  attributes: (call) => messagingAttributes('commit', placeOf(call), call.self.globalConfig),
});

const commit = settle(committed);
const commitMessage = settle(({ args }) => args[0]);

const processOne: SpanRule = {
  kind: SpanKind.CONSUMER,
  name: ({ args }) => spanName('process', args[0]),
  attributes: ({ self, args }) => messagingAttributes('process', args[0], self.globalConfig),
};

/** What a callback of `consume` is given: `(error, message)` or `(error, messages)`. */
const received = ({ args }: Call): TopicPlace[] => [args[1] ?? []].flat();

/** Messages that a listener of `data` has already had were processed there. */
const processReceived: SpanRule = {
  kind: SpanKind.CONSUMER,
  when: (call) => received(call).length > 0 && call.self.listenerCount('data') === 0,
  name: (call) => spanName('process', commonPlace(received(call))),
  attributes: (call) => {
    const count = Array.isArray(call.args[1]) ? call.args[1].length : undefined;
    return messagingAttributes('process', commonPlace(received(call)), call.self.globalConfig, count);
  },
};

/** The span that produced the message which a report is about; else nobody is known. */
const ofReport = (call: Call): Span | undefined => deliveries.ownerOf(call) ?? activeSpan();

// biome-ignore lint/suspicious/noExplicitAny: a module's exports
const prototype = (exports: any): object => exports.prototype;

export const nodeRdkafka = defineClient({
  module: 'node-rdkafka',
  versions: ['>=2.18 <4'],
  system: 'kafka',
  patches: [
    // Before producer.js, which copies Client's `disconnect` as it loads.
    {
      in: 'lib/client.js',
      of: prototype,
      // Waits for the consume thread, if messages were flowing: 0.1 to 3.6 s.
      calls: ['disconnect'],
      phase: 'call',
      slow: true,
      callback: {},
    },
    // Waits for a write lock that `consume(n)` holds while it waits for messages.
    { in: 'lib/client.js', of: prototype, calls: ['setOauthBearerToken'], phase: 'call', slow: true },
    {
      in: 'lib/client.js',
      of: prototype,
      calls: ['connect', 'getMetadata', 'queryWatermarkOffsets', 'offsetsForTimes'],
      phase: 'call',
      callback: {},
    },
    {
      in: 'lib/client.js',
      of: prototype,
      events: {
        'delivery-report': { owner: ofReport, after: (call) => deliveries.delivered(call) },
        data: { span: processOne },
        disconnected: { after: ({ self }) => deliveries.endAll(self) },
      },
    },

    // Wait for one broker round trip.
    { in: 'lib/kafka-consumer.js', of: prototype, calls: ['commitSync'], phase: 'call', slow: true, span: commit },
    {
      in: 'lib/kafka-consumer.js',
      of: prototype,
      calls: ['commitMessageSync'],
      phase: 'call',
      slow: true,
      span: commitMessage,
    },
    { in: 'lib/kafka-consumer.js', of: prototype, calls: ['commit'], phase: 'call', span: commit },
    { in: 'lib/kafka-consumer.js', of: prototype, calls: ['commitMessage'], phase: 'call', span: commitMessage },
    {
      in: 'lib/kafka-consumer.js',
      of: prototype,
      calls: ['consume'],
      phase: 'call',
      callback: { span: processReceived },
    },
    { in: 'lib/kafka-consumer.js', of: prototype, calls: ['committed', 'seek'], phase: 'call', callback: {} },
    {
      in: 'lib/kafka-consumer.js',
      of: prototype,
      calls: [
        'assign',
        'assignments',
        'getWatermarkOffsets',
        'incrementalAssign',
        'incrementalUnassign',
        'offsetsStore',
        'pause',
        'position',
        'resume',
        'subscribe',
        'subscription',
        'unassign',
        'unsubscribe',
      ],
      phase: 'call',
    },

    // The one place where a message is handed to librdkafka: HighLevelProducer keeps this method as `_oldProduce`.
    {
      in: 'lib/producer.js',
      of: prototype,
      calls: ['produce'],
      phase: 'call',
      span: send,
      keep: (call, owner, isOurs) => deliveries.keep(call, owner, isOurs),
    },
    // Runs no user code: reports come later.
    { in: 'lib/producer.js', of: prototype, calls: ['poll'], phase: 'call' },
    {
      in: 'lib/producer.js',
      of: prototype,
      calls: [
        'abortTransaction',
        'beginTransaction',
        'commitTransaction',
        'disconnect',
        'flush',
        'initTransactions',
        'sendOffsetsToTransaction',
      ],
      phase: 'call',
      callback: {},
    },
    // What each instance has as its `produce`: runs the application's serializers, and calls back when delivered.
    {
      in: 'lib/producer/high-level-producer.js',
      of: prototype,
      calls: ['_modifiedProduce'],
      as: 'produce',
      phase: 'call',
      callback: {},
    },
  ],
});
