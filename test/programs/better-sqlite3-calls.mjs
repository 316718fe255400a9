// All that can be seen of better-sqlite3's calls, for a comparison with and without loopblame.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { sleep } from './lib.mjs';
import { attempt, noting, see, seeMethods, shapeOf, tell } from './side-by-side.mjs';

const folder = mkdtempSync(join(tmpdir(), 'loopblame-calls-'));
const db = new Database(':memory:', { verbose: noting('verbose') });

see('exec returned itself', db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)') === db);
const insert = db.prepare('INSERT INTO t (a, b) VALUES (?, $b)');
const select = db.prepare('SELECT id, a, b FROM t');
const statements = Object.getPrototypeOf(insert);
seeMethods('Database', Database.prototype, Object.getOwnPropertyNames(Database.prototype));
see('Database', shapeOf(Database));
seeMethods('Statement', statements, Object.getOwnPropertyNames(statements));
see('statement', [
  Object.keys(insert),
  insert instanceof statements.constructor,
  insert.database === db,
  insert.source,
]);

// Arguments, results, errors
attempt('run', () => insert.run(1, { b: 'x' }));
attempt('run again', () => insert.run([2n], { b: Buffer.from('y') }));
attempt('run with too little', () => insert.run(1));
attempt('run of a reader', () => select.run());
attempt('get', () => select.get());
attempt('get of a writer', () => insert.get(1, { b: 1 }));
attempt('all', () => select.all());
attempt('all with too much', () => select.all(1));
attempt('pluck', () => db.prepare('SELECT b FROM t').pluck().all());
attempt('raw', () => select.raw(true).all());
select.raw(false);
attempt('bind', () => db.prepare('SELECT ? AS x').bind(7).get());
attempt('bigints', () => db.prepare('SELECT 1 AS x').safeIntegers().get());
attempt('a constraint', () => db.prepare('INSERT INTO t (id) VALUES (1)').run());
attempt('syntax', () => db.exec('NO SUCH THING'));
attempt('syntax of a statement', () => db.prepare('NO SUCH THING'));
attempt('no text', () => db.prepare(12));
attempt('exec of no text', () => db.exec());
attempt('pragma', () => db.pragma('user_version'));
attempt('simple pragma', () => db.pragma('user_version', { simple: true }));
attempt('bad pragma', () => db.pragma(3));
attempt('serialize', () => db.serialize().length > 0);
attempt('serialize nothing', () => db.serialize({ attached: 'none' }));
attempt('loadExtension', () => db.loadExtension('/nowhere/none'));
for (const method of ['run', 'get', 'all', 'iterate']) {
  attempt(`${method} on another object`, () => statements[method].call({}, 1));
}
for (const method of ['exec', 'prepare', 'pragma', 'transaction', 'serialize', 'close']) {
  attempt(`${method} on nothing`, () => Database.prototype[method].call(undefined, 'SELECT 1'));
}
await Database.prototype.backup.call(undefined, 'x').catch((error) => see('backup on nothing', error));

// What SQLite calls back
const thrown = new RangeError('from a function');
db.function('plus', { deterministic: true }, function (x, y) {
  see('plus', { self: this === undefined || this === null, args: [x, y] });
  return x + y;
});
db.function('fails', () => {
  throw thrown;
});
db.aggregate('last', { start: () => null, step: (_, value) => value });
attempt('function', () => db.prepare('SELECT plus(1, 2) AS x').get());
attempt('aggregate', () => db.prepare('SELECT last(a) AS x FROM t').get());
try {
  db.prepare('SELECT fails()').get();
} catch (error) {
  see('the very error', error === thrown);
}

// Iterators
const rows = select.iterate();
const iterators = Object.getPrototypeOf(rows);
seeMethods('iterator', iterators, Object.getOwnPropertyNames(iterators));
see('iterator', [Object.keys(rows), rows.statement === select, rows[Symbol.iterator]() === rows, String(rows)]);
attempt('while it is busy', () => db.exec('DELETE FROM t'));
attempt('next', () => rows.next());
attempt('next', () => rows.next());
attempt('next', () => rows.next());
attempt('next after the end', () => rows.next());
attempt('return after the end', () => rows.return());
attempt('spread', () => [...select.iterate()]);
attempt('left early', () => {
  for (const row of select.iterate()) return row;
});
attempt('thrown in', () => {
  for (const row of select.iterate()) throw new TypeError(`row ${row.id}`);
});
attempt('iterate a writer', () => insert.iterate());
attempt('an error in the midst', () => [...db.prepare('SELECT fails() FROM t').iterate()]);
attempt('next on another object', () => iterators.next.call({}));
see('is it free again', db.exec('SELECT 1') === db);

// Transactions
const body = function (...args) {
  see('in the transaction', { self: this === self, args, inTransaction: db.inTransaction });
  insert.run(args[0], { b: 'tx' });
  return args.at(-1);
};
const self = { name: 'self' };
const result = { any: 'object' };
const transaction = db.transaction(body);
const variants = ['default', 'deferred', 'immediate', 'exclusive'];
see('transaction', shapeOf(transaction));
seeMethods('transaction', transaction, [...variants, 'database', 'name', 'length', 'prototype']);
for (const variant of variants) {
  see(`transaction.${variant}`, shapeOf(transaction[variant]));
  see(
    `transaction.${variant} has them all`,
    variants.map((other) => variants.findIndex((name) => transaction[name] === transaction[variant][other])),
  );
  see(`transaction.${variant}`, transaction[variant].database === db);
  see(`transaction.${variant} gives what it returns`, transaction[variant].call(self, 1, 2, result) === result);
}
see('default is itself', transaction.default === transaction);
attempt('nested', () => db.transaction(() => transaction.call(self, 5, 'inner')).exclusive());
const fromInside = new Error('from inside');
try {
  db.transaction(() => {
    insert.run(99, { b: 'undone' });
    throw fromInside;
  })();
} catch (error) {
  see('the very error', error === fromInside);
}
see('undone', db.prepare('SELECT count(*) AS n FROM t WHERE a = 99').get());
attempt('a promise', () => db.transaction(async () => {})());
attempt('no function', () => db.transaction('x'));

// Backups, and when they go on
const order = [];
const backup = db.backup(join(folder, 'copy.db'), {
  progress(progress) {
    order.push('progress');
    see('progress', { self: this === undefined, ...progress });
    return 1;
  },
});
see('backup returned', [backup.constructor === Promise, Object.getPrototypeOf(backup) === Promise.prototype]);
process.nextTick(() => order.push('tick'));
Promise.resolve().then(() => order.push('microtask'));
backup.then((done) => {
  order.push('done');
  see('backup gave', done);
});
await backup;
await null;
see('order', [...order.slice(0, 2), order.at(-1)]);
see('the copy', new Database(join(folder, 'copy.db')).prepare('SELECT count(*) AS n FROM t').get());
for (const [what, args] of Object.entries({
  nowhere: [join(folder, 'none', 'copy.db')],
  'nothing attached': [join(folder, 'other.db'), { attached: 'none' }],
  'a bad progress': [join(folder, 'third.db'), { progress: () => 'x' }],
})) {
  await db.backup(...args).catch((error) => see(`backup to ${what}`, error));
}
// a rejection that nobody handles must go on being one
const unhandled = new Promise((resolve) => process.once('unhandledRejection', resolve));
db.backup(join(folder, 'none', 'copy.db'));
db.backup(join(folder, 'fourth.db'), {
  progress() {
    throw new SyntaxError('in progress');
  },
});
see('unhandled', await unhandled);
process.on('unhandledRejection', (error) => see('unhandled', error));
await sleep(100);

see('close returned itself', db.close() === db);
attempt('after close', () => db.exec('SELECT 1'));
attempt('after close', () => select.all());
attempt('close again', () => db.close() === db);
rmSync(folder, { recursive: true });
tell(Database.prototype.exec, 'this[cppdb].exec');
