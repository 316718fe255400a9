import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cleanEnv } from './env.ts';

export interface KafkaMock {
  /** host:port, for `bootstrap.servers` and the like. */
  brokers: string;
  pid: number;
  /** An outage: connections stay open, and nothing is answered until thaw(). */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}

/**
 * A Kafka cluster of one broker: librdkafka's own mock, which answers each request after `rttMs`. Each topic has four
 * partitions, and one message in partition 0. Needs node-rdkafka (see needs.ts).
 */
export async function startKafkaMock({ rttMs = 0, topics = ['orders'] } = {}): Promise<KafkaMock> {
  const broker = fork(fileURLToPath(new URL('kafka-mock-broker.cjs', import.meta.url)), [String(rttMs), ...topics], {
    execArgv: [],
    env: cleanEnv(),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [first] = await Promise.race([once(broker, 'message'), once(broker, 'exit')]);
  if (typeof first?.brokers !== 'string') throw new Error('the mock broker ended before it was ready');
  return {
    brokers: first.brokers,
    pid: broker.pid!,
    freeze: () => void broker.kill('SIGSTOP'),
    thaw: () => void broker.kill('SIGCONT'),
    async close() {
      // SIGKILL ends a frozen process too
      if (broker.exitCode === null && broker.signalCode === null) {
        broker.kill('SIGKILL');
        await once(broker, 'exit');
      }
    },
  };
}
