import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodes } from '../support/nodes.ts';
import { runProgram } from '../support/program.ts';
import { startReceiver } from '../support/receiver.ts';

const TRIALS = 100;

for (const node of nodes) {
  describe(`innocents on ${node.name}`, { skip: node.skip }, () => {
    test(`a native call as the last act never blames the request queued behind it (${TRIALS} trials)`, async () => {
      const receiver = await startReceiver();
      try {
        const { code, stderr, truth } = await runProgram('innocent.mjs', {
          node: node.execPath,
          receiver,
          args: [`${TRIALS}`],
        });
        assert.equal(code, 0, stderr);
        assert.equal(truth.length, TRIALS);
        await receiver.waitFor(() => receiver.spans.length >= 2 * TRIALS);
        const blocked = new Map(receiver.spans.map((s) => [s.spanId, s.attributes['event_loop.blocked'] === true]));
        assert.equal(truth.filter(({ innocentId }) => blocked.get(innocentId)).length, 0);
        const right = truth.filter(({ culpritId }) => blocked.get(culpritId)).length;
        // Node 20's hooks keep the culprit's context until the interrupt is taken; Node 24 gets one after the first time
        assert.ok(right >= TRIALS / 2, `${right} of ${TRIALS} culprits were named`);
        const stalls = receiver.metrics.filter((point) => point.name === 'event_loop.blocked.duration');
        assert.ok(stalls.length > 0, 'the metric has the stalls in any case');
      } finally {
        await receiver.close();
      }
    });
  });
}
