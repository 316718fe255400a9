import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { nodes } from '../support/nodes.ts';
import type { HistogramPoint } from '../support/otlp.ts';
import { runProgram, startProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

const noTaskset = spawnSync('taskset', ['-V']).error ? 'taskset (util-linux) is not installed' : false;
const notLinux = process.platform === 'linux' ? false : "the loop thread's state is read on Linux only";

/** Stalls of a cause, by the metric. */
function stalls(receiver: Receiver, cause: string): HistogramPoint[] {
  return receiver.metrics.filter(
    (point): point is HistogramPoint =>
      point.name === 'event_loop.blocked.duration' && point.attributes['event_loop.blocked.cause'] === cause,
  );
}

/** Processes that do nothing but take the first CPU. */
function startHogs(count: number): ChildProcess[] {
  return Array.from({ length: count }, () =>
    spawn('taskset', ['-c', '0', process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' }),
  );
}

for (const node of nodes) {
  describe(`causes on ${node.name}`, { skip: node.skip || notLinux }, () => {
    let receiver: Receiver;
    before(async () => {
      receiver = await startReceiver();
    });
    after(() => receiver.close());

    test('garbage collection is told from computing', () =>
      retry(3, async () => {
        const { code, stderr, truth } = await runProgram('causes.mjs', {
          node: node.execPath,
          nodeArgs: ['--expose-gc'],
          receiver,
          args: ['gc'],
        });
        assert.equal(code, 0, stderr);
        const [{ ms }, { spanId }] = truth;
        const span = await receiver.waitFor(() => receiver.spans.find((s) => s.spanId === spanId));
        assert.equal(span.attributes['event_loop.blocked.cause'], 'gc');
        const duration = Number(span.attributes['event_loop.blocked.duration']) * 1e3;
        assert.ok(Math.abs(duration - ms) <= 0.25 * ms + 12, `${duration} of ${ms} ms`);
      }));

    test('a loop that gets no CPU accuses no span', { skip: noTaskset }, async () => {
      const program = startProgram('causes.mjs', { node: node.execPath, receiver, args: ['starved'] });
      await program.waitForOutput(/ready/);
      spawnSync('taskset', ['-a', '-p', '-c', '0', `${program.pid}`]);
      const hogs = startHogs(8);
      try {
        program.kill('SIGUSR2');
        const { code, stderr, truth } = await program.done;
        assert.equal(code, 0, stderr);
        const { spans } = truth[0] as { spans: { spanId: string; ms: number }[] };
        const late = spans.filter(({ ms }) => ms > 30);
        assert.ok(late.length >= 5, `the hogs made ${late.length} of ${spans.length} late`);
        const received = await receiver.waitFor(() => {
          const found = receiver.spans.filter((s) => spans.some(({ spanId }) => spanId === s.spanId));
          return found.length === spans.length ? found : undefined;
        });
        const accused = received.filter((s) => s.attributes['event_loop.blocked'] !== undefined);
        assert.deepEqual(
          accused.map((s) => s.attributes),
          [],
        );
        const starved = stalls(receiver, 'starved').at(-1);
        assert.ok(starved && starved.count > 0, 'the metric has them');
        assert.equal(starved.attributes['code.function.name'], undefined);
      } finally {
        for (const hog of hogs) hog.kill('SIGKILL');
      }
    });

    test('a process that was stopped accuses no span', async () => {
      const program = startProgram('causes.mjs', { node: node.execPath, receiver, args: ['suspended'] });
      await program.waitForOutput(/ready/);
      for (let i = 0; i < 4; i++) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        program.kill('SIGSTOP');
        await new Promise((resolve) => setTimeout(resolve, 250));
        program.kill('SIGCONT');
      }
      const { code, stderr, truth } = await program.done;
      assert.equal(code, 0, stderr);
      const { spans, worst } = truth[0] as { spans: string[]; worst: number };
      assert.ok(worst >= 200, `it stood still for ${worst} ms`);
      const received = await receiver.waitFor(() => {
        const found = receiver.spans.filter((s) => spans.includes(s.spanId));
        return found.length === spans.length ? found : undefined;
      });
      const accused = received.filter((s) => s.attributes['event_loop.blocked'] !== undefined);
      assert.deepEqual(
        accused.map((s) => s.attributes),
        [],
      );
      assert.ok((stalls(receiver, 'suspended').at(-1)?.count ?? 0) > 0, 'the metric has them');
    });
  });
}
