// All that can be seen of node:sqlite's calls, for a comparison with and without loopblame. How it is loaded is given.
import { createRequire } from 'node:module';
import { attempt, see, seeMethods, shapeOf, tell } from './side-by-side.mjs';

const loaders = {
  import: () => import('node:sqlite'),
  require: () => createRequire(import.meta.url)('node:sqlite'),
  getBuiltinModule: () => process.getBuiltinModule('node:sqlite'),
};
const sqlite = await loaders[process.argv[2]]();
const { DatabaseSync, StatementSync, Session } = sqlite;
const plainErrors = (fn) => () => {
  try {
    return fn();
  } catch (error) {
    // Node's own errors have more than JSON shows
    throw Object.assign(error, { seen: [error.code, error.errcode, error.errstr] });
  }
};
const tried = (what, fn) => attempt(what, plainErrors(fn));

see('exports', Object.keys(sqlite).sort());
for (const Class of [DatabaseSync, StatementSync, Session]) {
  see(Class.name, shapeOf(Class));
  seeMethods(Class.name, Class.prototype, Reflect.ownKeys(Class.prototype).map(String));
}
see(
  'the same module',
  (await import('node:sqlite')).DatabaseSync === process.getBuiltinModule('node:sqlite').DatabaseSync,
);

const db = new DatabaseSync(':memory:', { open: false });
see('open', db.open());
tried('open again', () => db.open());
tried('exec', () => db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)'));
const insert = db.prepare('INSERT INTO t (a, b) VALUES (?, $b)');
const select = db.prepare('SELECT id, a, b FROM t');
see('statement', [insert instanceof StatementSync, Object.keys(insert), insert.sourceSQL, select.columns().length]);

// Arguments, results, errors
tried('run', () => insert.run({ b: 'x' }, 1));
tried('run again', () => insert.run({ $b: new Uint8Array([1]) }, 2n));
tried('run with nonsense', () => insert.run({ c: 1 }, 1));
tried('get', () => select.get());
tried('get of nothing', () => db.prepare('SELECT 1 WHERE 0').get());
tried('all', () => select.all());
tried('all with too much', () => select.all(1));
tried('a constraint', () => db.prepare('INSERT INTO t (id) VALUES (1)').run());
tried('syntax', () => db.exec('NO SUCH THING'));
tried('syntax of a statement', () => db.prepare('NO SUCH THING'));
tried('no text', () => db.prepare(12));
tried('exec of no text', () => db.exec());
tried('a bad value', () => select.all(Symbol('x')));
for (const method of ['run', 'get', 'all', 'iterate']) {
  tried(`${method} on another object`, () => StatementSync.prototype[method].call({}));
}
for (const method of ['exec', 'prepare', 'close', 'applyChangeset']) {
  tried(`${method} on nothing`, () => DatabaseSync.prototype[method].call(undefined, 'SELECT 1'));
}
tried('run is no constructor', () => new insert.run());

// What SQLite calls back
const thrown = new RangeError('from a function');
db.function('plus', (x, y) => {
  see('plus', [x, y]);
  return x + y;
});
db.function('fails', () => {
  throw thrown;
});
tried('function', () => db.prepare('SELECT plus(1, 2) AS x').get());
try {
  db.prepare('SELECT fails()').get();
} catch (error) {
  see('the very error', error === thrown);
}

// Iterators
const rows = select.iterate();
const iterators = Object.getPrototypeOf(rows);
seeMethods('iterator', iterators, Reflect.ownKeys(iterators).map(String));
see('iterator', [
  Object.keys(rows),
  rows[Symbol.iterator]() === rows,
  String(rows),
  rows.toArray === Iterator.prototype.toArray,
]);
tried('next', () => rows.next());
tried('next', () => rows.next());
tried('next', () => rows.next());
tried('next after the end', () => rows.next());
tried('return after the end', () => rows.return());
tried('spread', () => [...select.iterate()]);
tried('helpers', () =>
  select
    .iterate()
    .map((row) => row.id)
    .toArray(),
);
tried('left early', () => {
  for (const row of select.iterate()) return row;
});
tried('thrown in', () => {
  for (const row of select.iterate()) throw new TypeError(`row ${row.id}`);
});
tried('an error in the midst', () => [...db.prepare('SELECT fails() FROM t').iterate()]);
tried('next on another object', () => iterators.next.call({}));

// Sessions, tag stores, the database as bytes
const session = db.createSession();
insert.run({ b: 'session' }, 3);
tried('changeset', () => session.changeset().constructor.name);
tried('patchset', () => session.patchset().length > 0);
const changes = session.changeset();
db.exec('DELETE FROM t WHERE a = 3');
tried('applyChangeset', () => db.applyChangeset(changes));
tried('applyChangeset of nonsense', () => db.applyChangeset(1));
tried('closed session', () => {
  session.close();
  session.changeset();
});
if (db.createTagStore) {
  const sql = db.createTagStore();
  const stores = Object.getPrototypeOf(sql);
  seeMethods('store', stores, Reflect.ownKeys(stores).map(String));
  tried('tag get', () => sql.get`SELECT ${'x'} AS x`);
  tried('tag all', () => sql.all`SELECT id FROM t WHERE id > ${0}`);
  tried('tag run', () => sql.run`INSERT INTO t (a) VALUES (${4})`);
  tried('tag iterate', () => [...sql.iterate`SELECT id FROM t`]);
  tried('tag syntax', () => sql.all`NO ${1}`);
  tried('no tag', () => sql.all('SELECT 1'));
}
if (db.serialize) {
  tried('serialize', () => db.serialize().constructor.name);
  const other = new DatabaseSync(':memory:');
  tried('deserialize', () => other.deserialize(db.serialize()));
  tried('what was deserialized', () => other.prepare('SELECT count(*) AS n FROM t').get());
}
tried('loadExtension', () => db.loadExtension('none'));
see('location', db.location?.());

see('close', db.close());
tried('after close', () => db.exec('SELECT 1'));
tried('after close', () => select.all());
tried('close again', () => db.close());
tell(DatabaseSync.prototype.exec, '[native code]');
