import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes, type TestNode } from '../support/nodes.ts';
import type { HistogramPoint, NumberPoint } from '../support/otlp.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

async function run(
  node: TestNode,
  kind: string,
  env: NodeJS.ProcessEnv = {},
  // biome-ignore lint/suspicious/noExplicitAny: what the program printed
): Promise<{ truth: any[]; receiver: Receiver }> {
  const receiver = await startReceiver();
  const { code, stderr, truth } = await runProgram('metrics.mjs', { node: node.execPath, receiver, args: [kind], env });
  await receiver.close();
  assert.equal(code, 0, stderr);
  return { truth, receiver };
}

const numbers = (receiver: Receiver, name: string): NumberPoint[] =>
  receiver.metrics.filter((point): point is NumberPoint => point.name === name && 'value' in point);

/** The last cumulative state of each series. */
function lastHistograms(receiver: Receiver): HistogramPoint[] {
  const last = new Map<string, HistogramPoint>();
  for (const point of receiver.metrics) {
    if (point.name !== 'event_loop.blocked.duration') continue;
    last.set(JSON.stringify(point.attributes), point as HistogramPoint);
  }
  return [...last.values()];
}

for (const node of nodes) {
  describe(`metrics on ${node.name}`, { skip: node.skip }, () => {
    test('the lag is about 0 when idle, and a block is in the next reading at its true length', async () => {
      const { truth, receiver } = await run(node, 'lag');
      const [{ idleUntil }, { ms, blockedUntil }] = truth;
      const readings = numbers(receiver, 'event_loop.lag');
      assert.ok(readings.every((point) => point.unit === 's'));
      // the first readings have the start-up of exporters in them
      const idle = readings.filter((point) => point.timeMs > idleUntil - 600 && point.timeMs < idleUntil);
      assert.ok(idle.length >= 2, `${idle.length} readings while idle`);
      const best = Math.min(...idle.map((point) => point.value));
      assert.ok(best * 1e3 < ms / 10, `idle: ${best} s, against a block of ${ms} ms`);
      const after = readings.find((point) => point.timeMs >= blockedUntil - 5);
      assert.ok(after, 'a reading after the block');
      assert.ok(Math.abs(after.value * 1e3 - ms) < 0.25 * ms, `${after.value} s of ${ms} ms`);
    });

    test('blocks by a span that has ended, and by none, are counted with their function', () =>
      retry(3, async () => {
        const { truth, receiver } = await run(node, 'nobody');
        const [{ endedId, endedMs, noneMs }] = truth;
        const ended = receiver.spans.find((span) => span.spanId === endedId);
        assert.ok(ended);
        assert.equal(ended.attributes['event_loop.blocked'], undefined);
        // on a machine that is short of CPUs, a stall may be counted as starved, which names no function
        const all = lastHistograms(receiver);
        assert.ok(
          all.some((point) => point.attributes['code.function.name'] === 'busy'),
          JSON.stringify(all),
        );
        const sum = all.reduce((total, point) => total + (point.sum ?? 0), 0) * 1e3;
        const truthMs = endedMs + noneMs;
        assert.ok(sum > 0.75 * truthMs, `${sum} of ${truthMs} ms`);
      }));

    for (const sampler of ['always_on', 'always_off']) {
      test(`spans are counted by whether they blocked, with the sampler ${sampler}`, async () => {
        const { truth, receiver } = await run(node, 'spans', { OTEL_TRACES_SAMPLER: sampler });
        const [{ spans, blocked }] = truth;
        const last = (isBlocked: boolean): number | undefined =>
          numbers(receiver, 'event_loop.spans')
            .filter((point) => point.attributes['event_loop.blocked'] === isBlocked)
            .at(-1)?.value;
        // one that got no CPU meanwhile may not have held the loop for the threshold by itself
        assert.ok(last(true)! >= 1 && last(true)! <= blocked, `${last(true)} of ${blocked} blocked`);
        assert.equal(last(true)! + last(false)!, spans);
        if (sampler === 'always_off') assert.equal(receiver.spans.length, 0);
      });
    }
  });
}
