import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes, type TestNode } from '../support/nodes.ts';
import type { HistogramPoint } from '../support/otlp.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

async function run(
  node: TestNode,
  kind: string,
  env: NodeJS.ProcessEnv = {},
  // biome-ignore lint/suspicious/noExplicitAny: what the program printed
): Promise<{ truth: any; receiver: Receiver; blocked(id: string): unknown; expected(reason: string): HistogramPoint }> {
  const receiver = await startReceiver();
  const { code, stderr, truth } = await runProgram('expected.mjs', {
    node: node.execPath,
    receiver,
    args: [kind],
    env,
  });
  await receiver.close();
  assert.equal(code, 0, stderr);
  return {
    truth: truth[0],
    receiver,
    blocked: (id) => receiver.spans.find((span) => span.spanId === id)?.attributes['event_loop.blocked'],
    expected: (reason) => {
      const point = receiver.metrics.findLast(
        ({ name, attributes }) =>
          name === 'event_loop.blocked.duration' && attributes['event_loop.blocked.expected'] === reason,
      );
      assert.ok(point, `${reason} is counted`);
      return point as HistogramPoint;
    },
  };
}

for (const node of nodes) {
  describe(`expected blocks on ${node.name}`, { skip: node.skip }, () => {
    test('allowBlocking is counted with its reason and marks no span', () =>
      retry(3, async () => {
        const { truth, blocked, expected } = await run(node, 'allowed');
        assert.equal(truth.isNumber, true, 'it returns what the function returns');
        assert.equal(truth.thrown, true, 'and throws what it throws');
        assert.equal(blocked(truth.spanId), undefined);
        const { sum = 0, count } = expected('warm the cache');
        assert.equal(count, 1);
        assert.ok(Math.abs(sum * 1e3 - truth.ms) <= 0.25 * truth.ms + 5, `${sum} s of ${truth.ms} ms`);
        assert.equal(blocked(truth.otherId), true, 'what comes after it is not covered');
      }));

    test('a start-up grace counts blocks as such and marks no span', () =>
      retry(3, async () => {
        const graced = await run(node, 'startup', { LOOPBLAME_STARTUP_GRACE_MS: '60000' });
        assert.equal(graced.blocked(graced.truth.spanId), undefined);
        assert.ok(graced.expected('startup').count >= 1);
        const plain = await run(node, 'startup');
        assert.equal(plain.blocked(plain.truth.spanId), true);
      }));
  });
}
