import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nodes } from '../support/nodes.ts';
import type { Span } from '../support/otlp.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';
import { stallsOf } from '../support/spans.ts';

/** Of the stall's length: sampling and the kernel's tick, with room for a machine that does other things as well. */
const TOLERANCE = 0.25;

const seconds = (span: Span, name: string): number => Number(span.attributes[name]);

for (const node of nodes) {
  describe(`blocks on ${node.name}`, { skip: node.skip }, () => {
    let receiver: Receiver;
    before(async () => {
      receiver = await startReceiver();
    });
    after(() => receiver.close());

    async function run(
      kind: string,
      env: NodeJS.ProcessEnv = {},
    ): Promise<{ span: Span; ms: number; truth: Record<string, unknown>[]; stderr: string }> {
      const result = await runProgram('blocks.mjs', { node: node.execPath, receiver, args: [kind], env });
      assert.equal(result.code, 0, result.stderr);
      const { spanId, ms } = result.truth.find((facts) => facts.kind === kind);
      const span = await receiver.waitFor(() => receiver.spans.find((s) => s.spanId === spanId));
      return { span, ms, truth: result.truth, stderr: result.stderr };
    }

    function assertBlocked(span: Span, ms: number): void {
      assert.equal(span.attributes['event_loop.blocked'], true);
      const duration = seconds(span, 'event_loop.blocked.duration') * 1e3;
      assert.ok(Math.abs(duration - ms) <= TOLERANCE * ms + 12, `${duration} of ${ms} ms`);
      assert.ok(seconds(span, 'event_loop.blocked.max') <= seconds(span, 'event_loop.blocked.duration'));
    }

    for (const [kind, functionName] of [
      ['hold', 'busy'],
      ['synchronous', 'busy'],
      ['regex', 'culprit'],
      ['json-parse', 'culprit'],
      ['bcryptjs', 'culprit'],
      ['native-hash', 'culprit'],
      ['wait', 'culprit'],
      ['microtasks', 'busy'],
      ['equal-timers', 'busy'],
    ] as const) {
      test(`${kind}: the span, its time, its function`, () =>
        retry(3, async () => {
          const { span, ms } = await run(kind);
          assertBlocked(span, ms);
          assert.match(String(span.attributes['code.function.name']), new RegExp(functionName));
          assert.match(String(span.attributes['code.file.path']), /programs\/(blocks|lib)\.mjs$/);
          assert.match(String(span.attributes['code.stacktrace']), /blocks\.mjs:\d+/);
          const stall = await receiver.waitFor(() => stallsOf(span, receiver.spans)[0]);
          assert.equal(stall.attributes['event_loop.stall.threshold'], 0.02);
          if (kind === 'microtasks' || kind === 'equal-timers') {
            assert.equal(span.attributes['event_loop.blocked.count'], 1, 'one stall');
          }
        }));
    }

    test('a chain of short immediates is no stall', async () => {
      const { span, ms } = await run('immediate-chain');
      assert.ok(ms >= 40 * 6);
      assert.equal(span.attributes['event_loop.blocked'], undefined);
    });

    test('a stall is a child span with its true start and end', () =>
      retry(3, async () => {
        const { span, ms } = await run('hold');
        const stall = await receiver.waitFor(() => stallsOf(span, receiver.spans)[0]);
        const length = stall.endMs - stall.startMs;
        assert.ok(Math.abs(length - ms) <= TOLERANCE * ms + 12, `${length} of ${ms} ms`);
        assert.ok(stall.startMs >= span.startMs && stall.endMs <= span.endMs, 'it lies within its span');
        assert.equal(span.events.filter((event) => event.name === 'event_loop.stall').length, 0);
        const time = (name: string): number => Number(stall.attributes[`event_loop.stall.${name}`]);
        const sum = time('cpu_time') + time('queue_time') + time('sleep_time');
        assert.ok(Math.abs(sum - time('duration')) < 0.000_01, `${sum} of ${time('duration')} s`);
      }));

    test('or an event at its start', () =>
      retry(3, async () => {
        const { span, ms } = await run('hold', { LOOPBLAME_STALLS: 'event' });
        const stall = span.events.find((event) => event.name === 'event_loop.stall');
        assert.ok(stall, 'the stall is an event');
        const length = Number(stall.attributes['event_loop.stall.duration']) * 1e3;
        assert.ok(Math.abs(length - ms) <= TOLERANCE * ms + 12, `${length} of ${ms} ms`);
        assert.ok(stall.timeMs >= span.startMs && stall.timeMs + length <= span.endMs + 1, 'it lies within its span');
        assert.deepEqual(stallsOf(span, receiver.spans), []);
      }));

    test('the cause tells waiting from computing', () =>
      retry(3, async () => {
        const waiting = await run('wait');
        assert.equal(waiting.span.attributes['event_loop.blocked.cause'], 'native_wait');
        assert.equal(waiting.span.attributes['event_loop.blocked.section'], 'Atomics.wait');
        const computing = await run('hold');
        assert.equal(computing.span.attributes['event_loop.blocked.cause'], 'cpu');
      }));

    test('the local root learns what the spans under it blocked', () =>
      retry(3, async () => {
        const { truth } = await run('hold');
        const { rootId, ms } = truth.find((facts) => facts['kind'] === 'below') as { rootId: string; ms: number };
        const root = await receiver.waitFor(() => receiver.spans.find((s) => s.spanId === rootId));
        const below = seconds(root, 'event_loop.blocked.below') * 1e3;
        assert.ok(Math.abs(below - ms) <= TOLERANCE * ms + 12, `${below} of ${ms} ms`);
        assert.equal(root.attributes['event_loop.blocked'], undefined, 'the root itself did not block');
      }));
  });
}
