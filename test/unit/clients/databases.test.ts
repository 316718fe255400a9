import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  databaseAttributes,
  databaseSpanName,
  fileDatabaseName,
  operationName,
} from '../../../src/clients/db/attributes.ts';

test('an operation is a statement’s first keyword, behind space and comments', () => {
  const known: [sql: string, name: string][] = [
    ['SELECT 1', 'SELECT'],
    ['  \n\tselect(1)', 'SELECT'],
    ['-- who knows\nINSERT INTO t VALUES (1)', 'INSERT'],
    ['/* a\n b */ /**/ update t set a = 1', 'UPDATE'],
    ['; ;delete from t', 'DELETE'],
    ['(values (1))', 'VALUES'],
    ['WITH c AS (SELECT 1) SELECT * FROM c', 'WITH'],
    ['PRAGMA user_version', 'PRAGMA'],
    ['BEGIN', 'BEGIN'],
    ['VACUUM', 'VACUUM'],
  ];
  for (const [sql, name] of known) assert.equal(operationName(sql), name, sql);
});

test('what is no keyword is not told: it may be data', () => {
  const unknown = [
    '',
    ' ',
    '-- SELECT',
    '/* SELECT 1',
    'SELEKT 1',
    'selection',
    "'SELECT'",
    '"SELECT"',
    'é SELECT',
    '4111111',
  ];
  for (const sql of [...unknown, undefined, null, 12, {}, Buffer.from('SELECT')]) {
    assert.equal(operationName(sql), undefined, String(sql));
  }
});

test('of a long text only the beginning is looked at', () => {
  assert.equal(operationName(`${' '.repeat(1000)}SELECT 1`), 'SELECT');
  assert.equal(operationName(`${' '.repeat(1024)}SELECT 1`), undefined);
  assert.equal(operationName(`${'/**/'.repeat(5_000_000)}SELECT 1`), undefined);
});

test('a database file is told by its name, without folders and without what a URI adds', () => {
  assert.equal(fileDatabaseName('/home/somebody/orders.db'), 'orders.db');
  assert.equal(fileDatabaseName('orders.db'), 'orders.db');
  assert.equal(fileDatabaseName('file:///var/lib/orders.db?mode=ro&key=secret'), 'orders.db');
  assert.equal(fileDatabaseName('file:orders.db#part'), 'orders.db');
  assert.equal(fileDatabaseName(':memory:'), ':memory:');
  assert.equal(fileDatabaseName('file::memory:?cache=shared'), ':memory:');
  for (const none of ['', ' ', 'file:', undefined, null, 7]) assert.equal(fileDatabaseName(none), undefined);
});

test('a span is named by what is known', () => {
  assert.equal(databaseSpanName('sqlite', { operation: 'SELECT', namespace: 'a.db' }), 'SELECT a.db');
  assert.equal(databaseSpanName('sqlite', { operation: undefined, namespace: 'a.db' }), 'a.db');
  assert.equal(databaseSpanName('sqlite', { operation: undefined, namespace: undefined }), 'sqlite');
  assert.deepEqual(databaseAttributes('sqlite', { operation: undefined, namespace: undefined }), {
    'db.system.name': 'sqlite',
  });
});
