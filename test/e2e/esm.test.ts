import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { needs } from '../support/needs.ts';
import { currentNode, node24, nodes } from '../support/nodes.ts';
import type { Span } from '../support/otlp.ts';
import { type ProgramOptions, runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { clientSpansOf } from '../support/spans.ts';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const byHttp = ({ scope }: Span) => scope === '@opentelemetry/instrumentation-http';

for (const register of ['import', 'require'] as const) {
  describe(`what is loaded by import is patched with --${register} loopblame/register`, () => {
    for (const [client, node, skip] of [
      ['better-sqlite3', currentNode, needs.betterSqlite3()],
      ['node:sqlite', node24, node24.skip],
    ] as const) {
      it(`${client} on ${node.name}`, { skip }, async () => {
        const env = { OTEL_METRIC_EXPORT_TIMEOUT: '5000', OTEL_METRIC_EXPORT_INTERVAL: '60000' };
        const options = { node: node.execPath, register, receiver, args: [client], env };
        const { code, stderr, truth } = await runProgram('sqlite.mjs', options);
        assert.equal(code, 0, stderr);
        const [{ ms, spanId }] = truth;
        const queries = clientSpansOf(receiver.spans).filter((span) => span.parentSpanId === spanId);
        const durations = queries.map((span) => Number(span.attributes['event_loop.sync.max']) * 1e3);
        const worst = Math.max(...durations);
        // the rest is ours, and may be long on a busy machine
        assert.ok(worst >= ms / 2 && worst <= ms + 1, `${durations} of ${ms} ms`);
      });
    }
  });
}

for (const node of nodes) {
  describe(`an application's own loader hook, on ${node.name}`, { skip: node.skip }, () => {
    const OTHERS = ['--import', './others-hook.mjs'];
    const LOADER = ['--experimental-loader', '@opentelemetry/instrumentation/hook.mjs'];
    const hooks = ['thread', ...(node === node24 ? ['sync'] : [])];

    async function assertBothArePatched(options: ProgramOptions) {
      const { code, stderr, truth } = await runProgram('others.mjs', { node: node.execPath, receiver, ...options });
      assert.equal(code, 0, stderr);
      assert.equal(truth[0].hash, 'patched by others');
      const kinds = receiver.spans.filter(byHttp).map(({ kind }) => kind);
      assert.deepEqual(kinds.sort(), ['CLIENT', 'SERVER'], 'each span is made, and once');
      return stderr;
    }

    for (const HOOK of hooks) {
      it(`of the kind "${HOOK}", named before ours`, async () => {
        assert.equal(await assertBothArePatched({ nodeArgs: OTHERS, env: { HOOK } }), '');
      });

      it(`of the kind "${HOOK}", named after ours`, async () => {
        const nodeArgs = ['--import', '../../dist/register.js', ...OTHERS];
        assert.equal(await assertBothArePatched({ register: 'none', nodeArgs, env: { HOOK } }), '');
      });
    }

    it('as --experimental-loader', async () => {
      const stderr = await assertBothArePatched({ nodeArgs: [...LOADER, ...OTHERS] });
      assert.doesNotMatch(stderr, /import-in-the-middle/);
    });
  });
}
