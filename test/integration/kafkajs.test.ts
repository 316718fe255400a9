import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KafkaMock, startKafkaMock } from '../support/kafka-mock.ts';
import { needs } from '../support/needs.ts';
import { currentNode, nodes } from '../support/nodes.ts';
import type { Span } from '../support/otlp.ts';
import { type ProgramOptions, runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';
import { assertSameSideBySide } from '../support/side-by-side.ts';
import { clientSpansOf, sectionsOf } from '../support/spans.ts';

const OFFICIAL = '@opentelemetry/instrumentation-kafkajs';

for (const node of nodes) {
  // the mock broker is node-rdkafka's
  describe(`kafkajs on ${node.name}`, { skip: node.skip || needs.nodeRdkafka() }, () => {
    /** What does not differ between versions of Node is tried on one. */
    let mock: KafkaMock;
    let receiver: Receiver;
    before(async () => {
      [mock, receiver] = await Promise.all([startKafkaMock(), startReceiver()]);
    });
    after(() => Promise.all([mock?.close(), receiver?.close()]));

    /** Runs a scenario to its end; gives what it told, and all its spans. */
    async function run(scenario: string, options: ProgramOptions = {}) {
      receiver.spans.length = 0;
      const env = { BROKERS: mock.brokers, ...options.env };
      const result = await runProgram('kafkajs.mjs', {
        node: node.execPath,
        ...options,
        receiver,
        args: scenario.split(' '),
        env,
      });
      assert.equal(result.code, 0, result.stderr);
      const spans = [...receiver.spans];
      return { truth: result.truth, spans, span: (id: string) => spans.find((span) => span.spanId === id)! };
    }

    /** With an SDK of the program's own, and these instrumentations in this order. */
    const withOrder = (instrumentations: string): ProgramOptions => ({
      register: 'none',
      nodeArgs: ['--import', './sdk.mjs'],
      env: { INSTRUMENTATIONS: instrumentations },
    });

    const ms = (span: Span, name: string): number => Number(span.attributes[name]) * 1e3;

    it('blames a large send: its microtasks are sections and one stall of the caller', () =>
      retry(3, async () => {
        const { truth, span } = await run('send');
        const [{ spanId, turnMs }] = truth;
        const request = span(spanId);
        const { attributes } = request;
        assert.equal(attributes['event_loop.blocked'], true);
        assert.equal(attributes['event_loop.blocked.count'], 1, 'one stall');
        const blocked = ms(request, 'event_loop.blocked.duration');
        assert.ok(blocked >= turnMs * 0.7 && blocked <= turnMs * 1.25 + 25, `${blocked} of ${turnMs} ms`);
        assert.match(String(attributes['event_loop.blocked.section']), /^kafkajs (group|encode)/);
        assert.match(String(attributes['code.function.name']), /sendAll/);
        assert.match(String(attributes['code.file.path']), /programs\/kafkajs\.mjs$/);

        const sections = sectionsOf(request);
        assert.ok(sections.includes('kafkajs groupMessagesPerPartition, encode'), sections.join());
        const batches = sections.filter((section) => section === 'kafkajs encodeRecordBatch, encode');
        assert.equal(batches.length, 4, 'one for each partition');
        // what no section has is little: promises between the steps
        const sum = ms(request, 'event_loop.sync.duration');
        assert.ok(sum >= turnMs * 0.7 && sum <= turnMs * 1.1 + 5, `${sum} of ${turnMs} ms`);
      }));

    it("blames the user's functions, up to their first await", () =>
      retry(3, async () => {
        const { truth, span } = await run('callback');
        for (const kind of ['eachMessage', 'eachBatch']) {
          const { spanId, insideId } = truth.find((facts) => facts.kind === kind);
          const consuming = span(spanId);
          assert.ok(sectionsOf(consuming).includes(`kafkajs ${kind}, callback`), sectionsOf(consuming).join());
          assert.equal(consuming.attributes['event_loop.blocked'], true);
          assert.equal(consuming.attributes['event_loop.blocked.section'], `kafkajs ${kind}`);
          assert.match(String(consuming.attributes['code.function.name']), /burn|each/);
          assert.equal(span(insideId).parentSpanId, spanId);
        }
      }));

    describe('beside the official instrumentation', () => {
      /** How often each kind of span was made, and what under: the same with and without us. */
      const official = (spans: Span[], { topic }: { topic: string }): string[] => {
        const found = spans
          .filter((span) => span.scope === OFFICIAL && span.kind !== 'CONSUMER')
          .map((span) => {
            const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
            return `${span.kind} ${span.name.replace(topic, 'TOPIC')} under ${parent?.name}`;
          });
        return found.sort();
      };

      let alone: Awaited<ReturnType<typeof run>> | undefined;

      for (const order of ['loopblame kafkajs', 'kafkajs loopblame']) {
        it(`leaves its spans to it, and sections to them: ${order}`, () =>
          retry(3, async () => {
            alone ??= await run('callback', withOrder('kafkajs'));
            const { truth, spans, span } = await run('callback', withOrder(order));
            const expected = official(alone.spans, alone.truth[0]);
            assert.ok(expected.includes('PRODUCER send TOPIC under request'));
            assert.deepEqual(official(spans, truth[0]), expected);
            assert.deepEqual(clientSpansOf(spans), [], 'no spans of ours');

            // its PRODUCER spans are not active while messages are encoded: that is the caller's time
            const sync = Number(span(truth[0].requestId).attributes['event_loop.sync.count']);
            assert.ok(sync >= 2, `${sync}`);
            for (const [kind, name] of [
              ['eachMessage', 'CONSUMER process TOPIC'],
              ['eachBatch', 'CLIENT poll TOPIC'],
            ] as const) {
              const { insideId } = truth.find((facts) => facts.kind === kind);
              const owner = span(span(insideId).parentSpanId!);
              assert.equal(owner.scope, OFFICIAL);
              assert.equal(`${owner.kind} ${owner.name.replace(truth[0].topic, 'TOPIC')}`, name);
              assert.deepEqual(sectionsOf(owner), [`kafkajs ${kind}, callback`]);
              assert.equal(owner.attributes['event_loop.sync.count'], 1);
              assert.equal(owner.attributes['event_loop.blocked'], true);
              assert.equal(owner.attributes['event_loop.blocked.section'], `kafkajs ${kind}`);
            }
          }));
      }
    });

    // what does not differ between versions of Node
    if (node === currentNode) {
      it('tells compressed sends by their partitions as well', async () => {
        const { truth, span } = await run('send gzip');
        const sections = sectionsOf(span(truth[0].spanId));
        const batches = sections.filter((section) => section === 'kafkajs encodeRecordBatch, encode');
        assert.equal(batches.length, 4, sections.join());
      });

      for (const compression of ['', ' gzip']) {
        it(`tells what decoding${compression} took, to the span that the consumer runs in`, async () => {
          const { truth, span } = await run(`consume${compression}`);
          const [{ spanId, count }] = truth;
          assert.equal(count, 5100);
          const consuming = span(spanId);
          const syncCount = Number(consuming.attributes['event_loop.sync.count']);
          // decompressed records are decoded one by one, each too short to be an event
          if (compression) assert.ok(syncCount > 5000, `${syncCount}`);
          else {
            assert.ok(syncCount < 1000, `${syncCount}`);
            assert.ok(sectionsOf(consuming).includes('kafkajs decodeRecordBatch, decode'));
          }
        });
      }

      it('behaves as it does without us', async () => {
        await assertSameSideBySide('kafkajs-calls.mjs', { env: { BROKERS: mock.brokers } }, []);
      });
    }
  });
}
