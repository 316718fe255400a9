import { disguised, replaceMethod, type Undo } from '../../wrap.ts';
import { type Call, defineClient } from '../define.ts';
import type { ClientTools } from '../tools.ts';
import { WorkStart } from '../work-start.ts';

/**
 * kafkajs: JavaScript all through. `send` returns at once and then encodes in a chain of microtasks, partition by
 * partition, which holds the loop as one turn; reading decodes batch by batch in the same way. So the sections are the
 * steps of those chains. Producers and consumers are closures: what is patched are the files that they are made of.
 *
 * The official instrumentation makes the spans. Its PRODUCER spans are not active while their messages are encoded: that
 * time is the caller's. Its CONSUMER spans are, around the user's function, and own that section.
 */

const OFFICIAL = '@opentelemetry/instrumentation-kafkajs';

const encoding = new WorkStart();

/** A request is copied several times before it is written. Small ones take no time. */
const LARGE = 64 * 1024;
const isLarge = ({ args }: Call): boolean => args[0]?.offset > LARGE;

// biome-ignore lint/suspicious/noExplicitAny: a module's exports
const prototype = (exports: any): object => exports.prototype;

/** The functions given to `run`, which a runner has as its own by the time it starts. */
const CALLBACKS = ['eachMessage', 'eachBatch'];
const ours = new WeakSet<Function>();

// biome-ignore lint/suspicious/noExplicitAny: a module's exports
function patchRunner(Runner: any, tools: ClientTools): (Undo | undefined)[] {
  const undo = replaceMethod(Runner.prototype, 'start', (start) =>
    disguised(start, (self, args) => {
      const runner = self as Record<string, unknown>;
      for (const name of CALLBACKS) {
        const callback = runner[name];
        if (typeof callback !== 'function' || ours.has(callback)) continue;
        const wrapper = tools.wrapCall(callback, name, { phase: 'callback', adopts: OFFICIAL });
        ours.add(wrapper);
        runner[name] = wrapper;
      }
      return Reflect.apply(start, self, args);
    }),
  );
  return [undo];
}

export const kafkajs = defineClient({
  module: 'kafkajs',
  versions: ['>=2.2 <3'],
  system: 'kafka',
  patches: [
    // Copies a partition's messages once for each of them.
    { in: 'src/producer/groupMessagesPerPartition.js', exported: 'groupMessagesPerPartition', phase: 'encode' },
    // Of one partition: first each record, then the batch of them with its checksum, in one callback.
    { in: 'src/protocol/recordBatch/record/v0/index.js', starts: encoding },
    {
      in: 'src/protocol/recordBatch/v0/index.js',
      of: (exports) => exports,
      calls: ['RecordBatch'],
      as: 'encodeRecordBatch',
      phase: 'encode',
      since: encoding,
    },
    {
      in: 'src/protocol/encoder.js',
      of: prototype,
      calls: ['writeEncoder'],
      as: 'encodeRequest',
      phase: 'encode',
      when: isLarge,
    },
    {
      in: 'src/network/requestQueue/socketRequest.js',
      of: prototype,
      calls: ['send'],
      as: 'writeRequest',
      phase: 'call',
    },

    { in: 'src/protocol/recordBatch/v0/decoder.js', exported: 'decodeRecordBatch', phase: 'decode' },
    // One by one, after they were decompressed.
    { in: 'src/protocol/recordBatch/record/v0/decoder.js', exported: 'decodeRecord', phase: 'decode', outermost: true },
    { in: 'src/protocol/messageSet/decoder.js', exported: 'decodeMessageSet', phase: 'decode' },
    { in: 'src/consumer/runner.js', patch: patchRunner },
  ],
});
