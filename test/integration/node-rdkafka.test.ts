import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type KafkaMock, startKafkaMock } from '../support/kafka-mock.ts';
import { needs } from '../support/needs.ts';
import type { Span } from '../support/otlp.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';
import { assertSameSideBySide } from '../support/side-by-side.ts';
import { clientSpansOf, sectionsOf } from '../support/spans.ts';

const RTT_MS = 200;
const program = 'node-rdkafka.mjs';
const source = readFileSync(fileURLToPath(new URL(`../programs/${program}`, import.meta.url)), 'utf8').split('\n');

/** Where the program has it. */
const lineOf = (code: string): number => source.findIndex((line) => line.includes(code)) + 1;

describe('node-rdkafka', { skip: needs.nodeRdkafka() }, () => {
  let slow: KafkaMock;
  let fast: KafkaMock;
  let receiver: Receiver;
  /** The spans of all runs. */
  const written: Span[] = [];
  before(async () => {
    [slow, fast, receiver] = await Promise.all([
      startKafkaMock({ rttMs: RTT_MS, topics: ['orders', 'other'] }),
      startKafkaMock({ topics: ['orders', 'other'] }),
      startReceiver(),
    ]);
  });
  after(() => Promise.all([slow?.close(), fast?.close(), receiver?.close()]));

  /** Runs a scenario to its end; gives what it told, and all its spans. */
  async function run(scenario: string, mock: KafkaMock, env: NodeJS.ProcessEnv = {}) {
    receiver.spans.length = 0;
    const result = await runProgram(program, { receiver, args: [scenario], env: { BROKERS: mock.brokers, ...env } });
    assert.equal(result.code, 0, result.stderr);
    const spans = [...receiver.spans];
    written.push(...spans);
    const ours = clientSpansOf(spans);
    return {
      truth: result.truth,
      spans,
      ours,
      named: (name: string) => ours.filter((span) => span.name === name),
      span: (id: string) => spans.find((span) => span.spanId === id)!,
      under: (id: string) => ours.filter((span) => span.parentSpanId === id),
    };
  }

  /** Marked with that section, waiting or computing, in the function and line of the program. */
  function assertBlocked(span: Span, expected: { section: string; cause?: string; fn: string; line?: number }) {
    const { attributes } = span;
    assert.equal(attributes['event_loop.blocked'], true, JSON.stringify(attributes));
    assert.equal(attributes['event_loop.blocked.section'], expected.section);
    if (expected.cause) assert.equal(attributes['event_loop.blocked.cause'], expected.cause);
    assert.match(String(attributes['code.function.name']), new RegExp(expected.fn));
    assert.match(String(attributes['code.file.path']), /\/test\/programs\/(node-rdkafka|lib)\.mjs$/);
    if (expected.line) assert.equal(attributes['code.line.number'], expected.line);
  }

  /** Wide: what is around the native call is not in its section, and a busy machine may stop us there. */
  function assertLasted(span: Span, ms: number) {
    const duration = Number(span.attributes['event_loop.blocked.duration']) * 1e3;
    assert.ok(duration >= RTT_MS * 0.9 && duration <= ms * 1.25 + 25, `${duration} of ${ms} ms`);
  }

  it('blames a synchronous commit: the call, the cause, the line, for as long as it took', () =>
    retry(3, async () => {
      const { truth, under, span } = await run('commit', slow);
      for (const [call, offset, partition, code] of [
        ['commitMessageSync', 41, '0', 'consumer.commitMessageSync('],
        ['commitSync', undefined, '2', 'consumer.commitSync({ topic, partition: 2'],
      ] as const) {
        const { spanId, ms } = truth.find((facts) => facts.call === call);
        const [commit, ...others] = under(spanId);
        assert.equal(others.length, 0);
        assert.ok(commit);
        assert.equal(`${commit.kind} ${commit.name}`, 'CLIENT commit orders');
        assert.equal(commit.attributes['messaging.system'], 'kafka');
        assert.equal(commit.attributes['messaging.operation.name'], 'commit');
        assert.equal(commit.attributes['messaging.operation.type'], 'settle');
        assert.equal(commit.attributes['messaging.destination.name'], 'orders');
        assert.equal(commit.attributes['messaging.destination.partition.id'], partition);
        assert.equal(commit.attributes['messaging.kafka.offset'], offset);
        assert.match(String(commit.attributes['messaging.consumer.group.name']), /^program-\d+$/);
        const section = `node-rdkafka ${call}`;
        assertBlocked(commit, { section, cause: 'native_wait', fn: 'acknowledge', line: lineOf(code) });
        assertLasted(commit, ms);
        assert.deepEqual(sectionsOf(commit), [`${section}, call`]);
        assert.equal(commit.attributes['event_loop.sync.count'], 1);
        const below = Number(span(spanId).attributes['event_loop.blocked.below']);
        assert.equal(below, commit.attributes['event_loop.blocked.duration']);
      }
    }));

  it('blames no commit that does not wait, and names what it commits', async () => {
    const { truth, under } = await run('commit soon', slow);
    const [{ spanId }] = truth;
    const [message, places] = under(spanId).sort((a, b) => b.name.length - a.name.length);
    assert.equal(message?.name, 'commit orders');
    assert.equal(message?.attributes['messaging.destination.partition.id'], '1');
    assert.equal(message?.attributes['messaging.kafka.offset'], 4);
    // two topics have no name in common
    assert.equal(places?.name, 'commit');
    assert.equal(places?.attributes['messaging.destination.name'], undefined);
    for (const commit of [message, places]) {
      assert.equal(commit?.attributes['event_loop.sync.count'], 1);
      assert.ok(Number(commit?.attributes['event_loop.sync.duration']) < (RTT_MS / 1e3) * 0.9);
    }
  });

  it('blames disconnect() of a consumer that was flowing', () =>
    retry(3, async () => {
      const { truth, span } = await run('disconnect', fast);
      const [{ spanId, ms }] = truth;
      assertBlocked(span(spanId), {
        section: 'node-rdkafka disconnect',
        cause: 'native_wait',
        fn: 'leave',
        line: lineOf('consumer.disconnect()'),
      });
      const duration = Number(span(spanId).attributes['event_loop.blocked.duration']) * 1e3;
      assert.ok(Math.abs(duration - ms) <= 0.25 * ms + 25, `${duration} of ${ms} ms`);
    }));

  it('blames setOauthBearerToken() that waits for consume(n)', () =>
    retry(3, async () => {
      const { truth, span } = await run('token', fast);
      const [{ spanId, ms }] = truth;
      assert.ok(ms > 100, `${ms} ms`);
      assertBlocked(span(spanId), {
        section: 'node-rdkafka setOauthBearerToken',
        cause: 'native_wait',
        fn: 'refresh',
        line: lineOf('consumer.setOauthBearerToken('),
      });
    }));

  it('gives each message one PRODUCER span, which ends with its delivery report and has what listeners did', () =>
    retry(3, async () => {
      const { truth, under, span } = await run('reports', fast);
      const [{ spanId, reports }] = truth;
      const sent = under(spanId);
      assert.equal(sent.length, 7);
      for (const producer of sent) {
        assert.equal(`${producer.kind} ${producer.name}`, 'PRODUCER send orders');
        assert.equal(producer.attributes['messaging.operation.name'], 'send');
        assert.equal(producer.attributes['messaging.operation.type'], 'send');
        assert.equal(producer.attributes['messaging.client.id'], 'program');
        assert.equal(producer.attributes['messaging.destination.partition.id'], '0');
      }
      const reported = (name: string) => {
        const { offset } = reports.find((report: { name?: string }) => report.name === name);
        return sent.find((producer) => producer.attributes['messaging.kafka.offset'] === offset);
      };
      const slowOnes = ['slow 0', 'slow 1', 'slow 2'].map((name) => reported(name)!);
      for (const producer of slowOnes) {
        assert.deepEqual(sectionsOf(producer), ['node-rdkafka delivery-report, callback']);
        assert.equal(producer.attributes['event_loop.sync.count'], 2, 'the call and the listener');
        assert.ok(producer.endMs - producer.startMs >= 50);
      }
      const marked = slowOnes.find((producer) => producer.attributes['event_loop.blocked']);
      assert.ok(marked);
      assertBlocked(marked, { section: 'node-rdkafka delivery-report', fn: 'burn|onReport' });
      // the report of the others cannot be told from each other's: they end when they are produced
      assert.equal(sent.filter((producer) => producer.attributes['messaging.kafka.offset'] !== undefined).length, 4);
      assert.equal(reported('quick')?.attributes['event_loop.blocked'], undefined);
      assert.equal(span(spanId).attributes['event_loop.blocked'], undefined, 'the request itself waited');
    }));

  it("counts HighLevelProducer's message once; its callback is the caller's", () =>
    retry(3, async () => {
      const { truth, under, span, named } = await run('high-level', fast);
      assert.equal(named('send orders').length, 3);
      for (const { spanId, offset } of truth) {
        const [send, ...others] = under(spanId);
        assert.equal(others.length, 0);
        assert.equal(send?.kind, 'PRODUCER');
        assert.equal(send?.attributes['messaging.kafka.offset'], offset);
        assert.deepEqual(sectionsOf(span(spanId)), ['node-rdkafka produce, callback']);
      }
      const marked = truth.map(({ spanId }) => span(spanId)).find((s) => s.attributes['event_loop.blocked']);
      assert.ok(marked);
      assertBlocked(marked, { section: 'node-rdkafka produce', fn: 'burn|delivered' });
    }));

  it('tells a produce that failed', async () => {
    const { truth, under } = await run('failed', fast);
    const [{ message }, { spanId }] = truth;
    const [send] = under(spanId);
    assert.deepEqual(send?.status, { code: 'ERROR', message });
    assert.equal(send?.attributes['error.type'], 'Error');
  });

  it('runs listeners of data in a CONSUMER span of the message', () =>
    retry(3, async () => {
      const { truth, ours, span } = await run('data', fast);
      const [{ group, seen }] = truth;
      assert.equal(seen.length, 3);
      const consumers = ours.filter((s) => s.kind === 'CONSUMER');
      assert.equal(consumers.length, 3);
      for (const { spanId, offset } of seen) {
        const consumer = span(span(spanId).parentSpanId!);
        assert.equal(`${consumer.kind} ${consumer.name}`, 'CONSUMER process orders');
        assert.equal(consumer.parentSpanId, undefined);
        assert.equal(consumer.attributes['messaging.operation.name'], 'process');
        assert.equal(consumer.attributes['messaging.operation.type'], 'process');
        assert.equal(consumer.attributes['messaging.destination.partition.id'], '3');
        assert.equal(consumer.attributes['messaging.kafka.offset'], offset);
        assert.equal(consumer.attributes['messaging.consumer.group.name'], group);
        assert.deepEqual(sectionsOf(consumer), ['node-rdkafka data, callback']);
      }
      const marked = consumers.find((consumer) => consumer.attributes['event_loop.blocked']);
      assert.ok(marked);
      assertBlocked(marked, { section: 'node-rdkafka data', fn: 'burn|onData' });
    }));

  it("blames a span that a listener has opened rather than the message's", () =>
    retry(3, async () => {
      const { truth, span } = await run('inner', fast);
      const inner = span(truth[0].spanId);
      assertBlocked(inner, { section: 'node-rdkafka data', fn: 'burn|onData' });
      const consumer = span(inner.parentSpanId!);
      assert.deepEqual(sectionsOf(consumer), ['node-rdkafka data, callback']);
      assert.equal(consumer.attributes['event_loop.blocked'], undefined);
    }));

  it('runs the callback of consume(n) in a CONSUMER span of the batch', async () => {
    const { truth, ours, span } = await run('batch', fast);
    const [{ seen }] = truth;
    const consumers = ours.filter((s) => s.kind === 'CONSUMER');
    assert.equal(consumers.length, seen.length, 'none for what came back empty');
    for (const { spanId, count } of seen) {
      const consumer = span(span(spanId).parentSpanId!);
      assert.equal(consumer.name, 'process orders');
      assert.equal(consumer.attributes['messaging.batch.message_count'], count);
      assert.equal(consumer.attributes['messaging.destination.partition.id'], '2');
      assert.deepEqual(sectionsOf(consumer), ['node-rdkafka consume, callback']);
    }
  });

  it('has left what messages contain out of all that it wrote', () => {
    for (const name of ['send orders', 'process orders']) assert.ok(written.some((span) => span.name === name));
    assert.doesNotMatch(JSON.stringify(written), /secret/);
  });

  it('makes no spans without clientSpans; sections and marks stay on the active one', () =>
    retry(3, async () => {
      const env = { LOOPBLAME_CLIENT_SPANS: 'false' };
      const commits = await run('commit', slow, env);
      assert.equal(commits.ours.length, 0);
      const { spanId, ms } = commits.truth.find((facts) => facts.call === 'commitMessageSync');
      const section = 'node-rdkafka commitMessageSync';
      assertBlocked(commits.span(spanId), { section, cause: 'native_wait', fn: 'acknowledge' });
      assertLasted(commits.span(spanId), ms);
      assert.deepEqual(sectionsOf(commits.span(spanId)), [`${section}, call`]);

      const reports = await run('reports', fast, env);
      assert.equal(reports.ours.length, 0);
      const request = reports.span(reports.truth[0].spanId);
      assert.deepEqual(sectionsOf(request), Array(3).fill('node-rdkafka delivery-report, callback'));
      assert.equal(request.attributes['event_loop.blocked'], true);

      const data = await run('data', fast, env);
      assert.equal(data.ours.length, 0);
      for (const { spanId: inside } of data.truth[0].seen) assert.equal(data.span(inside).parentSpanId, undefined);
    }));

  it('behaves as it does without us', async () => {
    await assertSameSideBySide('node-rdkafka-calls.mjs', { env: { BROKERS: fast.brokers } });
  });
});
