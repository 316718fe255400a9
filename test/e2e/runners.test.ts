import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { cleanEnv } from '../support/env.ts';
import { nodes } from '../support/nodes.ts';
import { retry } from '../support/retry.ts';
import { runner } from '../support/runners.ts';

const ofNodeTest = fileURLToPath(new URL('../runners/node-test', import.meta.url));
const vitest = runner('vitest');
const jest = runner('jest');

interface Run {
  code: number | null;
  output: string;
}

function run(node: string, cwd: string, args: string[], env: NodeJS.ProcessEnv = {}): Run {
  const { status, stdout, stderr } = spawnSync(node, args, {
    cwd,
    encoding: 'utf8',
    env: { ...cleanEnv(), CI: 'true', ...env },
  });
  return { code: status, output: stripVTControlCharacters(`${stdout}\n${stderr}`) };
}

/** The failure's message, at the line of the application that ran. */
function assertNames(output: string, file: string, line: number): void {
  const message = new RegExp(
    `LoopBlockedError\\]?: the event loop was held for \\d+ ms \\(allowed: 50 ms\\) by computeTotals \\(\\S*${file}:(\\d+)\\)`,
    'g',
  );
  const found = [...output.matchAll(message)];
  assert.ok(found.length >= 2, output);
  // the loop's head, its call, or its condition, whatever ran when it was looked up
  for (const [, at] of found) assert.ok(Math.abs(Number(at) - line - 1) <= 1, `line ${at} for ${line}`);
}

for (const node of nodes) {
  describe(`test runners on ${node.name}`, { skip: node.skip }, () => {
    for (const extension of ['mjs', 'cjs']) {
      const ask = (suite: string, ...nodeArgs: string[]) =>
        run(node.execPath, ofNodeTest, [
          ...['--import', 'loopblame/testing/node-test', ...nodeArgs, '--test-reporter=spec'],
          `${suite}.${extension}`,
        ]);

      test(`node:test fails the tests that block and no other (${extension})`, () =>
        retry(3, async () => {
          const { code, output } = ask('blocks', '--test');
          assert.equal(code, 1, output);
          assertNames(output, `app.${extension}`, 4);
          assert.match(output, /ℹ tests 4\n.*\nℹ pass 2\nℹ fail 2\n/);
          for (const name of ['guilty', 'guilty under fake timers']) assert.match(output, new RegExp(`✖ ${name} \\(`));
        }));

      test(`node:test passes a suite of many short tests, and lets forked programs be (${extension})`, () => {
        const { code, output } = ask('passes', '--test');
        assert.equal(code, 0, output);
        assert.match(output, /ℹ pass 31\n/);
      });

      test(`node:test without its runner (${extension})`, () =>
        retry(3, async () => {
          const { code, output } = ask('blocks');
          assert.equal(code, 1, output);
          assertNames(output, `app.${extension}`, 4);
        }));
    }

    test('vitest fails the tests that block and no other, at the line as it was written', { skip: vitest.skip }, () =>
      retry(3, async () => {
        const { code, output } = run(node.execPath, vitest.folder, [vitest.bin, 'run']);
        assert.equal(code, 1, output);
        assertNames(output, 'suites/app.ts', 11);
        assert.match(output, /Tests +2 failed \| 32 passed \(34\)/);
        for (const name of ['guilty', 'guilty under fake timers']) assert.match(output, new RegExp(`× ${name} `));
        assert.match(output, /✓ suites\/passes\.ts/);
      }),
    );

    test('vitest in worker threads: the same', { skip: vitest.skip }, () =>
      retry(3, async () => {
        const { code, output } = run(node.execPath, vitest.folder, [vitest.bin, 'run'], { POOL: 'threads' });
        assert.equal(code, 1, output);
        assertNames(output, 'suites/app.ts', 11);
        assert.match(output, /Tests +2 failed \| 32 passed \(34\)/);
      }),
    );

    for (const [kind, ...nodeArgs] of [['cjs'], ['esm', '--experimental-vm-modules']] as const) {
      test(`jest fails the tests that block and no other (${kind})`, { skip: jest.skip }, () =>
        retry(3, async () => {
          const { code, output } = run(node.execPath, jest.folder, [...nodeArgs, jest.bin, kind]);
          assert.equal(code, 1, output);
          assertNames(output, `suites/${kind}/app.${kind === 'cjs' ? 'cjs' : 'mjs'}`, 4);
          assert.match(output, /Tests: +2 failed, 32 passed, 34 total/);
          for (const name of ['guilty', 'guilty under fake timers']) assert.match(output, new RegExp(`● ${name}\n`));
          assert.match(output, new RegExp(`PASS suites/${kind}/passes`));
          assert.doesNotMatch(output, /DeprecationWarning|did not exit/);
        }),
      );
    }

    test('the limit can be set for a whole suite, and a wrong one is refused', () => {
      const args = ['--import', 'loopblame/testing/node-test', '--test', join(ofNodeTest, 'blocks.mjs')];
      const lenient = run(node.execPath, ofNodeTest, args, { LOOPBLAME_TEST_MAX_MS: '60000' });
      assert.equal(lenient.code, 0, lenient.output);
      const wrong = run(node.execPath, ofNodeTest, args, { LOOPBLAME_TEST_MAX_MS: '50ms' });
      assert.equal(wrong.code, 1);
      assert.match(wrong.output, /LOOPBLAME_TEST_MAX_MS: maxMs must be a number from 10 to 60,000, not NaN/);
    });
  });
}
