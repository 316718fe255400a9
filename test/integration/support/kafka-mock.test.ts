import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type KafkaMock, startKafkaMock } from '../../support/kafka-mock.ts';
import { needs } from '../../support/needs.ts';
import { runProgram, startProgram } from '../../support/program.ts';

const RTT_MS = 200;
const FROZEN_MS = 1000;

describe('Kafka mock broker', { skip: needs.nodeRdkafka() }, () => {
  let mock: KafkaMock;
  before(async () => {
    mock = await startKafkaMock({ rttMs: RTT_MS, topics: ['orders', 'other'] });
  });
  after(() => mock.close());

  const asks = () => ({
    folder: fileURLToPath(new URL('fixtures', import.meta.url)),
    register: 'none' as const,
    env: { BROKERS: mock.brokers },
  });

  it('answers node-rdkafka after a round trip, and not at all while it is frozen', async () => {
    const program = startProgram('ask-node-rdkafka.cjs', asks());
    await program.waitForOutput(/commitMs/);
    mock.freeze();
    program.kill('SIGUSR2');
    await program.waitForOutput(/committing/);
    await sleep(FROZEN_MS);
    mock.thaw();
    const { truth } = await program.done;
    assert.deepEqual(truth[0].topics.sort(), ['orders', 'other']);
    // only lower bounds: a busy machine makes all of it longer
    assert.ok(truth[0].commitMs >= RTT_MS * 0.9, `${truth[0].commitMs} ms`);
    assert.ok(truth[1].frozenMs >= FROZEN_MS * 0.9, `${truth[1].frozenMs} ms`);
  });

  it('keeps what kafkajs sends beside the message of each topic', async () => {
    const { truth, stderr } = await runProgram('ask-kafkajs.cjs', asks());
    assert.deepEqual(truth[0]?.values, ['first', 'second'], stderr);
  });

  it('is gone after close, even when it was frozen', async () => {
    const other = await startKafkaMock();
    other.freeze();
    await other.close();
    assert.throws(() => process.kill(other.pid, 0), { code: 'ESRCH' });
    await other.close();
  });
});
