import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cleanEnv } from '../../support/env.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** The runner as `npm test -- FILE` starts it, on a fixture that is not one of the tests. */
function npmTest(fixture: string, env: NodeJS.ProcessEnv = {}) {
  const { CI: _, ...inherited } = cleanEnv();
  const args = ['node_modules/tsx/dist/cli.mjs', 'test/run.ts', '--no-build', fixture];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...inherited, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const fixture = (name: string) => `test/unit/support/fixtures/${name}.fixture.ts`;

describe('npm test', () => {
  it('fails when a test fails, and counts each test once', () => {
    const { status, stdout } = npmTest(fixture('mixed'));
    assert.equal(status, 1);
    assert.match(stdout, /^ℹ tests 5$/m);
    assert.match(stdout, /^ℹ fail 1$/m);
    assert.match(stdout, /^1 passed, 1 failed, 3 skipped$/m);
  });

  it('names what was skipped after the summary, with the reason', () => {
    const { stdout } = npmTest(fixture('mixed'));
    const afterSummary = stdout.slice(stdout.indexOf('ℹ duration_ms'));
    assert.match(afterSummary, /mixed\.fixture\.ts: outer > inner > is skipped\n {4}no such server\n/);
    assert.match(afterSummary, /mixed\.fixture\.ts: outer > is skipped without a reason\n/);
    assert.match(afterSummary, /mixed\.fixture\.ts: outer > is to do\n {4}later\n/);
  });

  it('passes with a skipped test, except in CI', () => {
    assert.equal(npmTest(fixture('skips')).status, 0);
    const inCi = npmTest(fixture('skips'), { CI: 'true' });
    assert.equal(inCi.status, 1);
    assert.match(inCi.stdout, /Skipped, which is a failure in CI:\n.*needs something\n/);
  });

  it('fails on a file that cannot be loaded', () => {
    const { status, stdout } = npmTest(fixture('broken'));
    assert.equal(status, 1);
    assert.match(stdout, /thrown while loading/);
  });

  it('does not take a file without tests for a passed test', () => {
    const { status, stdout } = npmTest(fixture('empty'), { CI: 'true' });
    assert.equal(status, 1);
    assert.match(stdout, /the file declares no test/);
    assert.match(stdout, /^0 passed, 0 failed, 1 skipped$/m);
  });

  it('fails when no file matches', () => {
    const { status, stderr } = npmTest('no-such-file');
    assert.equal(status, 1);
    assert.match(stderr, /No test file's path contains no-such-file/);
  });

  it("strips the user's variables from the tests' environment", () => {
    const { status, stdout } = npmTest(fixture('environment'), {
      OTEL_SDK_DISABLED: 'true',
      LOOPBLAME_BLOCKED_THRESHOLD_MS: '1000',
      NODE_OPTIONS: '--no-warnings',
      UNRELATED: 'kept',
    });
    assert.equal(status, 0, stdout);
  });
});
