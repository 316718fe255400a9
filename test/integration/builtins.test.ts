import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Findings, findingsOf, lineOf, sectionsOf, syncOf } from '../support/findings.ts';
import { nodes } from '../support/nodes.ts';
import { retryEach } from '../support/retry.ts';
import { assertSameSideBySide } from '../support/side-by-side.ts';

const program = 'builtins.mjs';

/** By section: the cause, the function and its line. */
const SLOW = [
  ['fs.readFileSync', 'cpu', 'read', 'return readFileSync(sparse);'],
  ['child_process.execFileSync', 'native_wait', 'run', "return execFileSync('sleep'"],
  ['crypto.pbkdf2Sync', 'cpu', 'hash', 'const hash ='],
  ['zlib.gzipSync', 'cpu', 'pack', 'return gzipSync('],
  ['v8.serialize', 'cpu', 'write', 'return serialize('],
  ['structuredClone', 'cpu', 'copy', 'return structuredClone('],
  ['JSON.parse', 'cpu', 'parse', 'return JSON.parse('],
  ['Atomics.wait', 'native_wait', 'wait', 'return Atomics.wait('],
] as const;

for (const { name, execPath: node, skip } of nodes) {
  describe(`Node's own synchronous calls on ${name}`, { skip }, () => {
    const run = (scenario: string): Promise<Findings> => findingsOf(program, { node, args: [scenario] });

    it('are blamed as the last act of a continuation: call, cause, function, line, for as long as they took', () =>
      retryEach(
        8,
        SLOW,
        () => run('slow'),
        ([section, cause, fn, code], { truth, span }) => {
          const { spanId, ms, innocent } = truth.find((facts) => facts.section === section);
          const { attributes } = span(spanId);
          assert.equal(attributes['event_loop.blocked'], true, JSON.stringify(attributes));
          assert.equal(attributes['event_loop.blocked.section'], section);
          // copying many objects is as much collecting as computing
          const causes = cause === 'cpu' ? ['cpu', 'gc'] : [cause];
          assert.ok(causes.includes(String(attributes['event_loop.blocked.cause'])), section);
          assert.equal(attributes['code.function.name'], fn);
          assert.equal(attributes['code.line.number'], lineOf(program, code));
          const blocked = Number(attributes['event_loop.blocked.duration']) * 1e3;
          assert.ok(blocked <= ms && blocked >= 0.75 * ms - 10, `${blocked} of ${ms} ms`);
          assert.deepEqual(sectionsOf(span(spanId)), [`${section}, call`]);
          assert.equal(syncOf(span(spanId)).count, 1);
          assert.equal(span(innocent).attributes['event_loop.blocked'], undefined);
          assert.equal(span(innocent).attributes['event_loop.sync.count'], undefined);
        },
      ));

    it('count once, and only what is long of JSON.parse', async () => {
      const { truth, span } = await run('counted');
      const counts = Object.fromEntries(
        truth.map(({ what, spanId }) => [what, span(spanId).attributes['event_loop.sync.count']]),
      );
      assert.deepEqual(counts, {
        'one readFileSync': 1,
        'a short text': undefined,
        'a text of 64 KiB': undefined,
        'one that is longer by one': 1,
        'long bytes': 1,
        'in a reviver': 1,
        suppressed: undefined,
        'a failure': 1,
      });
    });

    it('stand in the metrics with their function where no span is active', () =>
      retryEach(
        5,
        [0],
        () => run('alone'),
        (_, { truth, spans, metrics }) => {
          assert.equal(spans.length, 0);
          const point = metrics.findLast(
            ({ name: metric, attributes }) =>
              metric === 'event_loop.blocked.duration' &&
              attributes['event_loop.blocked.section'] === 'crypto.pbkdf2Sync',
          );
          assert.ok(point?.type === 'histogram');
          // those for which the machine had no time are starved, and nobody's
          const all = truth.map(({ ms }) => ms).sort((a, b) => a - b);
          // and the calibration may be one more, and long: it is a turn of the loop's as well
          assert.ok(point.count >= 1 && point.count <= all.length + 1);
          const shortest = point.min * 1e3;
          assert.ok(shortest >= 0.75 * all[0] - 10 && shortest <= all.at(-1), `${shortest} of ${all} ms`);
          assert.equal(point.attributes['event_loop.section.system'], 'nodejs');
          assert.equal(point.attributes['code.function.name'], 'hash');
        },
      ));

    it('behave as they do without us', () =>
      assertSameSideBySide('builtins-calls.mjs', { node, timeoutMs: 120_000 }, []));
  });
}
