import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nodes } from '../support/nodes.ts';
import type { Span } from '../support/otlp.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry, retryEach } from '../support/retry.ts';

const notLinux = process.platform === 'linux' ? false : "the loop thread's state is read on Linux only";

for (const node of nodes) {
  describe(`loops of worker threads on ${node.name}`, { skip: node.skip || notLinux }, () => {
    let receiver: Receiver;
    before(async () => {
      receiver = await startReceiver();
    });
    after(() => receiver.close());

    const forget = (): void => {
      for (const received of [receiver.spans, receiver.metrics, receiver.logs]) received.length = 0;
    };

    /** Runs a scenario with an SDK in each thread; gives what it told, and the span of each name that it has. */
    async function run(scenario: string, env: NodeJS.ProcessEnv = {}) {
      forget();
      const { code, stderr, truth } = await runProgram('threads.mjs', {
        node: node.execPath,
        receiver,
        args: [scenario],
        env: { LOOPBLAME_WORKER_THREADS: 'true', ...env },
      });
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /debugger/i);
      const told = (name: string) => truth.find((facts) => facts.name === name);
      const span = (name: string): Span => receiver.spans.find(({ spanId }) => spanId === told(name).spanId)!;
      return { truth, told, span };
    }

    const CULPRITS = [
      { name: 'worker cpu', function: 'resize', cause: 'cpu', thread: 'images' },
      { name: 'worker wait', function: 'waitForDisk', cause: 'native_wait', thread: 'images' },
      { name: 'main block', function: 'resize', cause: 'cpu', thread: 'main' },
    ];

    test('each is watched by the one thread of the process, and marks its own spans', () =>
      retryEach(
        3,
        CULPRITS,
        () => run('blocks'),
        (culprit, { truth, told, span }) => {
          const titles: string[] = truth.find(({ names }) => names).names;
          assert.deepEqual(
            titles.filter((title) => / loopblame$/.test(title)).length,
            1,
            `one watchdog thread: ${titles.join()}`,
          );
          const { attributes } = span(culprit.name);
          const { ms } = told(culprit.name);
          assert.equal(attributes['event_loop.blocked'], true, JSON.stringify(attributes));
          const blocked = Number(attributes['event_loop.blocked.duration']) * 1e3;
          assert.ok(Math.abs(blocked - ms) <= 0.25 * ms + 12, `${blocked} of ${ms} ms`);
          assert.equal(attributes['event_loop.blocked.cause'], culprit.cause);
          assert.equal(attributes['code.function.name'], culprit.function);
          assert.equal(attributes['thread.id'] === 0, culprit.thread === 'main');
          const names = [culprit.thread, `worker ${attributes['thread.id']}`];
          assert.ok(names.includes(String(attributes['thread.name'])), String(attributes['thread.name']));
          for (const bystander of ['main bystander', 'worker bystander']) {
            const { attributes } = span(bystander);
            const blamed = Object.keys(attributes).filter((name) => name.startsWith('event_loop.blocked'));
            assert.deepEqual(blamed, []);
          }
          // main's own block came while its bystander was in flight; the worker's blocks, longer in all, did not hold it
          const lost = Number(span('main bystander').attributes['event_loop.stalled.duration'] ?? 0) * 1e3;
          assert.ok(lost <= told('main block').ms * 1.25 + 40, `it lost ${lost} ms`);
          assert.equal(span('worker bystander').attributes['event_loop.stalled.duration'], undefined);

          const stalls = receiver.metrics.filter(({ name }) => name === 'event_loop.blocked.duration');
          const ofWorkers = stalls.filter(({ attributes }) => attributes['thread.id'] !== 0);
          assert.ok(ofWorkers.length > 0 && ofWorkers.length < stalls.length, 'the metric tells them apart');
        },
      ));

    test('one that is still blocked is reported by its thread', () =>
      retry(3, async () => {
        const { told, span } = await run('stuck', { LOOPBLAME_STILL_BLOCKED_AFTER_MS: '300' });
        const { spanId, ms } = told('worker stuck');
        assert.ok(ms >= 1000);
        const reports = receiver.logs.filter(({ eventName }) => eventName === 'event_loop.still_blocked');
        assert.deepEqual(
          reports.map((report) => report.attributes['thread.id'] !== 0),
          [true, true],
          'at 300 and 600 ms',
        );
        for (const { attributes, spanId: reported } of reports) {
          assert.equal(attributes['code.function.name'], 'resize');
          assert.equal(reported, spanId);
        }
        assert.equal(span('worker stuck').attributes['event_loop.blocked'], true);
      }));

    test('one that was terminated while it was blocked is forgotten, and the others are watched on', () =>
      retry(3, async () => {
        const { told, span } = await run('terminated', { LOOPBLAME_STILL_BLOCKED_AFTER_MS: '500' });
        assert.deepEqual(
          receiver.logs.filter(({ eventName }) => eventName === 'event_loop.still_blocked'),
          [],
        );
        const { attributes } = span('main block');
        assert.equal(attributes['code.function.name'], 'resize');
        const blocked = Number(attributes['event_loop.blocked.duration']) * 1e3;
        assert.ok(blocked >= told('main block').ms * 0.6, `${blocked} ms`);
      }));

    test('a worker thread gets no SDK that nobody asked for, and says so', async () => {
      forget();
      const { code, stderr, stdout } = await runProgram('threads.mjs', {
        node: node.execPath,
        receiver,
        args: ['stuck'],
        env: { OTEL_LOG_LEVEL: 'info' },
      });
      assert.equal(code, 0, stderr);
      assert.match(stdout + stderr, /this worker thread has no SDK, so its loop is not watched/);
      assert.deepEqual(
        receiver.metrics.filter(({ attributes }) => (attributes['thread.id'] ?? 0) !== 0),
        [],
      );
    });
  });
}
