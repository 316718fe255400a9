import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes, type TestNode } from '../support/nodes.ts';
import type { NumberPoint, Span } from '../support/otlp.ts';
import { runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

// biome-ignore lint/suspicious/noExplicitAny: what the program printed
async function run(node: TestNode, kind: string): Promise<{ truth: any; receiver: Receiver; span(id: string): Span }> {
  const receiver = await startReceiver();
  const { code, stderr, truth } = await runProgram('victims.mjs', { node: node.execPath, receiver, args: [kind] });
  await receiver.close();
  assert.equal(code, 0, stderr);
  const span = (id: string): Span => {
    const found = receiver.spans.find((s) => s.spanId === id);
    assert.ok(found, `${id} was not received`);
    return found;
  };
  return { truth: truth[0], receiver, span };
}

const ms = (span: Span, name: string): number => Number(span.attributes[name]) * 1e3;

function assertAbout(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= 0.25 * expected + 5, `${what}: ${actual} for ${expected} ms`);
}

for (const node of nodes) {
  describe(`victims on ${node.name}`, { skip: node.skip }, () => {
    test('those in flight learn how long they stood still and for whose sake, a bystander nothing', () =>
      retry(3, async () => {
        const { truth, receiver, span } = await run(node, 'waiting');
        const culprit = span(truth.culpritId);
        assert.equal(culprit.attributes['event_loop.blocked'], true);
        for (const id of [...truth.victims, truth.openId]) {
          const victim = span(id);
          assertAbout(ms(victim, 'event_loop.stalled.duration'), truth.ms, victim.name);
          assert.equal(victim.attributes['event_loop.blocked'], undefined);
          assert.equal(victim.attributes['event_loop.stalled.cause'], 'native_wait');
          assert.equal(victim.attributes['event_loop.stalled.by'], 'Atomics.wait');
          assert.deepEqual(
            victim.links.map((link) => [link.spanId, link.attributes['event_loop.link.type']]),
            [[culprit.spanId, 'stalled_by']],
          );
        }
        // those that were due in mid-block went on right after it; the one that only was open did not
        for (const id of truth.victims) {
          assert.equal(span(id).attributes['event_loop.stalled.certainty'], 'waiting');
        }
        assert.equal(span(truth.openId).attributes['event_loop.stalled.certainty'], 'open');

        const bystander = span(truth.bystanderId);
        assert.equal(bystander.attributes['event_loop.stalled.duration'], undefined);
        assert.deepEqual(bystander.links, []);
        assert.equal(culprit.attributes['event_loop.stalled.duration'], undefined, 'the culprit waited for nobody');

        assert.equal(culprit.attributes['event_loop.blocked.victims'], 4);
        assertAbout(ms(culprit, 'event_loop.blocked.harm'), 4 * truth.ms, 'harm');
        const lost = receiver.metrics.filter((point) => point.name === 'event_loop.stalled.time') as NumberPoint[];
        assertAbout((lost.at(-1)?.value ?? 0) * 1e3, 4 * truth.ms, 'the metric');
      }));

    test('two culprits of one turn are blamed for their own shares, and each waited for the other', () =>
      retry(3, async () => {
        const { truth, span } = await run(node, 'shares');
        const [larger, smaller] = [span(truth.largerId), span(truth.smallerId)];
        const whole = ms(larger, 'event_loop.blocked.duration') + ms(smaller, 'event_loop.blocked.duration');
        const share = (100 * ms(larger, 'event_loop.blocked.duration')) / whole;
        const expected = (100 * truth.larger) / (truth.larger + truth.smaller);
        assert.ok(Math.abs(share - expected) <= 5, `${share} % for ${expected} %`);
        assertAbout(whole, truth.larger + truth.smaller, 'the whole stall');
        // at least: on a machine that is short of CPUs it may have lost more, to nobody
        const lost = ms(smaller, 'event_loop.stalled.duration');
        assert.ok(lost >= 0.75 * truth.larger, `the smaller one lost ${lost} of ${truth.larger} ms`);
        assert.equal(smaller.links[0]?.spanId, larger.spanId);
        assert.equal(larger.links[0]?.spanId, smaller.spanId);
      }));
  });
}
