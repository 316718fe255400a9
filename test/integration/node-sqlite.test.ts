import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findingsOf, syncOf } from '../support/findings.ts';
import { node24 } from '../support/nodes.ts';
import { assertSameSideBySide } from '../support/side-by-side.ts';
import { testSqlite } from '../support/sqlite.ts';

const node = node24.execPath;

describe('node:sqlite', { skip: node24.skip }, () => {
  const { run } = testSqlite({
    client: 'import',
    sections: 'node:sqlite',
    options: { node },
    codes: { error: '1', unique: '2067' },
  });

  it('knows changesets and statements that are template literals', async () => {
    const { truth, under, span } = await run('more');
    const facts = (what: string) => truth.find((one) => one.what === what);
    assert.equal(under(facts('changeset').spanId).length, 0);
    assert.equal(syncOf(span(facts('changeset').spanId)).count, 1);
    const [applied] = under(facts('applyChangeset').spanId);
    assert.equal(applied?.name, 'applyChangeset orders.db');
    for (const [what, count] of [
      ['tag', 1],
      ['tags', 3],
    ] as const) {
      const [select, ...others] = under(facts(what).spanId);
      assert.equal(others.length, 0);
      assert.equal(select?.name, 'SELECT orders.db');
      assert.equal(syncOf(select).count, count);
    }
    assert.equal(syncOf(span(facts('close').spanId)).count, 1);
  });

  // There are three hooks behind them.
  for (const loaded of ['import', 'require', 'getBuiltinModule']) {
    it(`is patched, and behaves as it does without us, by ${loaded}`, () =>
      assertSameSideBySide('node-sqlite-calls.mjs', { node, args: [loaded] }));
  }

  it('is not loaded by us', async () => {
    const { truth, stderr } = await findingsOf('loaded.mjs', { node, args: ['NativeModule sqlite'] });
    assert.deepEqual(truth, [{ loaded: false }]);
    assert.equal(stderr, '');
  });
});
