import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { syncOf } from '../support/findings.ts';
import { needs } from '../support/needs.ts';
import { assertSameSideBySide } from '../support/side-by-side.ts';
import { testSqlite } from '../support/sqlite.ts';

describe('better-sqlite3', { skip: needs.betterSqlite3() }, () => {
  const { run } = testSqlite({
    client: 'better-sqlite3',
    sections: 'better-sqlite3',
    options: {},
    codes: { error: 'SQLITE_ERROR', unique: 'SQLITE_CONSTRAINT_UNIQUE' },
  });

  it('makes one span of a transaction, of pragma(), of backup()', async () => {
    const { truth, under, span, ours } = await run('more');
    const facts = (what: string) => truth.find((one) => one.what === what);
    const only = (what: string) => {
      const [found, ...others] = under(facts(what).spanId);
      assert.equal(others.length, 0, what);
      return found!;
    };
    const transaction = only('transaction');
    assert.equal(transaction.name, 'TRANSACTION orders.db');
    // BEGIN, three statements, COMMIT, and the function around them
    assert.equal(syncOf(transaction).count, 6);
    assert.ok(syncOf(transaction).ms <= transaction.endMs - transaction.startMs + 0.1, 'nothing counts twice');
    const inner = span(facts('transaction').innerId);
    assert.equal(inner.parentSpanId, transaction.spanId);
    assert.equal(syncOf(inner).count, 1, "a statement in the application's own span is that span's");
    assert.equal(ours.filter(({ parentSpanId }) => parentSpanId === inner.spanId).length, 0);

    assert.equal(only('pragma').name, 'PRAGMA orders.db');
    assert.equal(syncOf(only('pragma')).count, 1, 'and none for the statement that it is');
    assert.equal(only('backup').name, 'backup orders.db');
    assert.equal(syncOf(only('backup')).count, facts('backup').steps + 1, 'each step, and the one that ended it');
    assert.equal(only('serialize').name, 'serialize orders.db');
    assert.equal(under(facts('close').spanId).length, 0);
    assert.equal(syncOf(span(facts('close').spanId)).count, 1);
  });

  it('behaves as it does without us', () => assertSameSideBySide('better-sqlite3-calls.mjs', {}));
});
