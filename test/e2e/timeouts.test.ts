import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type KafkaMock, startKafkaMock } from '../support/kafka-mock.ts';
import { needs } from '../support/needs.ts';
import { nodes } from '../support/nodes.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { runProgram } from '../support/program.ts';
import { startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

/** Each client, by the text of its error, and its span by the name of its instrumentation. */
const HTTP_CLIENTS = [
  ['fetch', /aborted due to timeout/, 'undici'],
  ['http', /operation was aborted/, 'http'],
] as const;
const PG_CLIENTS = [
  ['pg-query', /Query read timeout/, 'pg'],
  ['pg-pool', /timeout exceeded when trying to connect/, 'pg'],
] as const;

for (const node of nodes) {
  describe(`timeouts on ${node.name}`, { skip: node.skip }, () => {
    async function run(
      client: string,
      when: 'in-stall' | 'silent' | 'free',
      scope: string,
      env: NodeJS.ProcessEnv = {},
    ) {
      const receiver = await startReceiver();
      const { code, stderr, truth } = await runProgram('timeouts.mjs', {
        node: node.execPath,
        receiver,
        args: [client, when],
        env,
      });
      await receiver.close();
      assert.equal(code, 0, stderr);
      const failed = receiver.spans.filter(
        (span) => span.scope.endsWith(`instrumentation-${scope}`) && span.status.code === 'ERROR',
      );
      assert.ok(failed.length > 0, `no span of ${scope} has failed: ${JSON.stringify(truth[0])}`);
      return { failed, truth: truth[0] };
    }

    async function isSuspectInStall(client: string, message: RegExp, scope: string, env?: NodeJS.ProcessEnv) {
      const { failed, truth } = await run(client, 'in-stall', scope, env);
      assert.match(truth.error ?? 'no error', message);
      // the server has answered in time
      if (truth.answeredMs !== undefined) assert.ok(truth.answeredMs < truth.timeoutMs, `${truth.answeredMs} ms`);
      assert.ok(truth.heldMs > truth.timeoutMs);
      for (const { attributes, links, name } of failed) {
        assert.equal(attributes['event_loop.timeout.suspect'], true, name);
        const ratio = Number(attributes['event_loop.timeout.stalled_ratio']);
        // what the program itself has measured from around the call
        const expected = truth.heldMs / truth.tookMs;
        assert.ok(Math.abs(ratio - expected) < 0.15 && ratio <= 1, `${ratio} for ${expected}`);
        assert.deepEqual(
          links.map((link) => [link.spanId, link.attributes['event_loop.link.type']]),
          [[truth.culpritId, 'stalled_by']],
        );
      }
    }

    /** It has lost time to a stall as well, but its deadline ran out while the loop listened. */
    async function isNoSuspect(client: string, message: RegExp, scope: string, env?: NodeJS.ProcessEnv) {
      const { failed, truth } = await run(client, 'free', scope, env);
      assert.match(truth.error ?? 'no error', message);
      for (const { attributes, name } of failed) {
        assert.ok(Number(attributes['event_loop.stalled.duration']) > 0.2, `${name} lost time`);
        assert.equal(attributes['event_loop.timeout.suspect'], undefined, name);
        assert.equal(attributes['event_loop.timeout.stalled_ratio'], undefined, name);
      }
    }

    /** Its deadline ran out inside a stall, but the kernel held no answer. */
    async function isSilent(client: string, message: RegExp, scope: string, env?: NodeJS.ProcessEnv) {
      const { failed, truth } = await run(client, 'silent', scope, env);
      assert.match(truth.error ?? 'no error', message);
      assert.ok(truth.heldMs > truth.timeoutMs);
      for (const { attributes, name } of failed) {
        assert.ok(Number(attributes['event_loop.stalled.duration']) > 0.5, `${name} lost time`);
        assert.equal(attributes['event_loop.timeout.suspect'], undefined, name);
      }
    }

    for (const [client, message, scope] of HTTP_CLIENTS) {
      test(`${client}: the server had answered, the loop was held`, () =>
        retry(3, () => isSuspectInStall(client, message, scope)));
      test(`${client}: the server did not answer`, () => retry(3, () => isNoSuspect(client, message, scope)));
    }

    describe('with PostgreSQL', { skip: needs.postgres() }, () => {
      let postgres: Postgres;
      before(async () => {
        postgres = await startPostgres();
      });
      after(() => postgres?.close());
      for (const [client, message, scope] of PG_CLIENTS) {
        test(`${client}: the server had answered, the loop was held`, () =>
          retry(3, () => isSuspectInStall(client, message, scope, { DATABASE: postgres.url })));
        test(`${client}: the server did not answer`, () =>
          retry(3, () => isNoSuspect(client, message, scope, { DATABASE: postgres.url })));
        test(`${client}: the server did not answer, and the loop was held when time ran out`, () =>
          retry(3, () => isSilent(client, message, scope, { DATABASE: postgres.url })));
      }
      test('a timeout of the server is none of the loop, even if it comes while that is held', async () => {
        const { failed, truth } = await run('pg-statement', 'in-stall', 'pg', { DATABASE: postgres.url });
        assert.match(truth.error, /statement timeout/);
        for (const { attributes } of failed) assert.equal(attributes['event_loop.timeout.suspect'], undefined);
      });
    });

    // the mock broker is node-rdkafka's
    describe('with Kafka', { skip: needs.nodeRdkafka() }, () => {
      let mock: KafkaMock;
      before(async () => {
        mock = await startKafkaMock({ rttMs: 150 });
      });
      after(() => mock?.close());
      const env = () => ({ BROKERS: mock.brokers, BROKER_PID: `${mock.pid}` });
      test('kafkajs: the broker had answered, the loop was held', () =>
        retry(3, () => isSuspectInStall('kafkajs', /timed out/, 'kafkajs', env())));
      test('kafkajs: the broker did not answer', () =>
        retry(3, () => isNoSuspect('kafkajs', /timed out/, 'kafkajs', env())));
    });
  });
}
