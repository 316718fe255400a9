import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { computeTotals } from './app.mjs';

// what runs before the tests is no test
before(() => computeTotals(300));

// together they hold the loop for long, and nothing but the set-up makes turns between them
for (let i = 0; i < 30; i++) {
  test(`short ${i}`, () => {
    assert.equal(computeTotals(5).length, 1);
  });
}

// a program that is forked inherits --import: it must not report tests of its own
test('a program under test', async () => {
  const program = fork(fileURLToPath(new URL('program.cjs', import.meta.url)), { silent: true });
  let output = '';
  for await (const text of program.stdout.setEncoding('utf8')) output += text;
  assert.equal(output, 'hello\n');
});
