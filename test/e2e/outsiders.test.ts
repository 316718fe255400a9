import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes, type TestNode } from '../support/nodes.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

async function run(
  node: TestNode,
  program: string,
  args: string[],
  options: { register?: 'none'; nodeArgs?: string[] } = {},
  // biome-ignore lint/suspicious/noExplicitAny: what the program printed
): Promise<{ truth: any; receiver: Receiver }> {
  const receiver = await startReceiver();
  const { code, stderr, truth } = await runProgram(program, { node: node.execPath, receiver, args, ...options });
  await receiver.close();
  assert.equal(code, 0, stderr);
  return { truth: truth[0], receiver };
}

const functionsOf = (receiver: Receiver): unknown[] =>
  receiver.metrics
    .filter((point) => point.name === 'event_loop.blocked.duration')
    .map((point) => point.attributes['code.function.name']);

for (const node of nodes) {
  describe(`other culprits on ${node.name}`, { skip: node.skip }, () => {
    test('an exporter that holds the loop is named by its function, and is no span', () =>
      retry(3, async () => {
        const { truth, receiver } = await run(node, 'outsiders.mjs', ['exporter'], { register: 'none' });
        assert.ok(truth.ms >= 150);
        assert.ok(functionsOf(receiver).includes('busy'), `${functionsOf(receiver)}`);
        const blocked = receiver.spans.filter((span) => span.attributes['event_loop.blocked'] !== undefined);
        assert.deepEqual(blocked, []);
        const next = receiver.spans.find((span) => span.name === 'next');
        assert.ok(next);
        assert.ok(Number(next.attributes['event_loop.stalled.duration']) > 0.1, 'the request in flight waited');
        assert.deepEqual(next.links, []);
      }));

    test("another provider's span is marked as any", () =>
      retry(3, async () => {
        const { truth, receiver } = await run(node, 'outsiders.mjs', ['provider'], { register: 'none' });
        const span = receiver.spans.find((s) => s.spanId === truth.spanId);
        assert.equal(span?.attributes['event_loop.blocked'], true);
        assert.equal(span.attributes['code.function.name'], 'busy');
      }));

    test("a debugger's pause raises nothing", () =>
      retry(3, async () => {
        const { truth, receiver } = await run(node, 'debugger.mjs', []);
        assert.ok(truth.ms >= 300, `paused for ${truth.ms} ms`);
        const span = receiver.spans.find((s) => s.spanId === truth.spanId);
        assert.equal(span?.attributes['event_loop.blocked'], undefined);
        assert.ok(
          receiver.metrics.some((point) => point.attributes['event_loop.blocked.expected'] === 'debugger'),
          'the metric says why',
        );
      }));
  });
}
