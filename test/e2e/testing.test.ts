import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { nodes, type TestNode } from '../support/nodes.ts';
import { type ProgramOptions, runProgram, startProgram } from '../support/program.ts';
import { startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

const noTaskset = spawnSync('taskset', ['-V']).error ? 'taskset (util-linux) is not installed' : false;
const notLinux = process.platform === 'linux' ? false : "the loop thread's state is read on Linux only";

async function check(node: TestNode, kind: string, options: ProgramOptions = {}) {
  const result = await runProgram('testing.mjs', {
    node: node.execPath,
    register: 'none',
    args: [kind],
    ...options,
  });
  assert.equal(result.code, 0, result.stderr);
  return result.truth[0];
}

/** Processes that do nothing but take the first CPU. */
function startHogs(count: number): ChildProcess[] {
  return Array.from({ length: count }, () =>
    spawn('taskset', ['-c', '0', process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' }),
  );
}

for (const node of nodes) {
  describe(`assertLoopNotBlocked on ${node.name}`, { skip: node.skip }, () => {
    for (const kind of ['synchronous', 'after-await', 'burst']) {
      test(`${kind}: fails with how long, the function and its stack`, () =>
        retry(3, async () => {
          const { error } = await check(node, kind);
          assert.ok(error, 'it failed');
          assert.equal(error.name, 'LoopBlockedError');
          assert.equal(error.code, 'ERR_LOOP_BLOCKED');
          assert.match(
            error.message,
            /^the event loop was held for \d+ ms \(allowed: 20 ms\) by burn \(lib\.mjs:\d+\), using the CPU/,
          );
          assert.equal(error.functionName, 'burn');
          assert.match(error.file, /test\/programs\/lib\.mjs$/);
          assert.match(error.stack, /^LoopBlockedError: the event loop .*\n(.*\n)*? +at burn \(.*lib\.mjs:\d+:\d+\)\n/);
          assert.match(error.stack, / at culprit \(.*testing\.mjs:\d+:\d+\)/);
          assert.doesNotMatch(error.stack, /testing\.(js|cjs)|assertLoopNotBlocked/);
          // of the 300 ms of CPU time, other threads of the process may have used some
          assert.ok(error.heldMs > 150, `${error.heldMs} ms`);
        }));
    }

    for (const [kind, call] of [
      ['wait', 'Atomics.wait'],
      ['exec', 'child_process.execSync'],
    ]) {
      test(`${kind}: fails with the call that waits, and whose it is`, () =>
        retry(3, async () => {
          const { error } = await check(node, kind!);
          assert.match(
            error?.message,
            new RegExp(`by culprit \\(testing\\.mjs:\\d+\\) in ${call}, waiting in native code`),
          );
          assert.equal(error.reason, 'native_wait');
          assert.ok(error.heldMs > 200, `${error.heldMs} ms`);
        }));
    }

    test('short holds pass, with the result', async () => {
      const { result, error, others } = await check(node, 'short');
      assert.deepEqual({ result, error, others }, { result: 'its result', error: undefined, others: [1, 2, 3] });
    });

    test('what the code itself throws comes through, blocked or not', async () => {
      assert.equal((await check(node, 'rejection')).isMine, true);
    });

    test('an expected block passes', async () => {
      assert.equal((await check(node, 'allowed')).error, undefined);
    });

    test('collections pass, and are told of', async () => {
      const { error, ms, remarks } = await check(node, 'gc', { nodeArgs: ['--expose-gc'] });
      assert.equal(error, undefined);
      assert.ok(ms >= 150);
      assert.match(remarks.join('\n'), /stood still for \d+ ms, which fails no test: .*\d+ ms garbage collection/);
    });

    test('a stopped process passes, and is told of', { skip: notLinux }, () =>
      retry(3, async () => {
        const { error, worst, remarks } = await check(node, 'suspended');
        assert.equal(error, undefined);
        assert.ok(worst > 400, `it was stopped for ${worst} ms`);
        assert.match(remarks.join('\n'), /\d+ ms stopped with its process/);
      }),
    );

    test('a machine that is short of CPUs passes, and is told of', { skip: notLinux || noTaskset }, async () => {
      const program = startProgram('testing.mjs', { node: node.execPath, register: 'none', args: ['starved'] });
      await program.waitForOutput(/ready/);
      spawnSync('taskset', ['-a', '-p', '-c', '0', `${program.pid}`]);
      const hogs = startHogs(8);
      try {
        program.kill('SIGUSR2');
        const { code, stderr, truth } = await program.done;
        assert.equal(code, 0, stderr);
        const { error, worst, remarks } = truth[0];
        assert.ok(worst > 40, `the hogs made it last ${worst} ms`);
        assert.equal(error, undefined);
        assert.match(remarks.join('\n'), /ms waiting for a CPU/);
      } finally {
        for (const hog of hogs) hog.kill('SIGKILL');
      }
    });

    test('works beside an instrumentation, which marks the span all the same', () =>
      retry(3, async () => {
        const receiver = await startReceiver();
        try {
          const { error, spanId } = await check(node, 'in-span', { register: 'import', receiver });
          assert.equal(error?.functionName, 'burn');
          const span = await receiver.waitFor(() => receiver.spans.find((s) => s.spanId === spanId));
          assert.equal(span.attributes['event_loop.blocked'], true);
          assert.equal(span.attributes['code.function.name'], 'burn');
        } finally {
          await receiver.close();
        }
      }));
  });
}
