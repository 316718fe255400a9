const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { before, test } = require('node:test');
const { computeTotals } = require('./app.cjs');

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
  const program = fork(require.resolve('./program.cjs'), { silent: true });
  let output = '';
  for await (const text of program.stdout.setEncoding('utf8')) output += text;
  assert.equal(output, 'hello\n');
});
