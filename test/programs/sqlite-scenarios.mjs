// SQLite's calls in spans, as `node sqlite-scenarios.mjs CLIENT SCENARIO FILE`. CLIENT is better-sqlite3, or how node:sqlite is
// loaded: import, require, getBuiltinModule. All that must not be exported has SECRET in it.
import { createRequire } from 'node:module';
import { SpanKind, trace } from '@opentelemetry/api';
import { inSpan, sleep, timed, tracer, truth } from './lib.mjs';

const [client, scenario, file] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const loaders = {
  'better-sqlite3': async () => (await import('better-sqlite3')).default,
  import: async () => (await import('node:sqlite')).DatabaseSync,
  require: () => require('node:sqlite').DatabaseSync,
  getBuiltinModule: () => process.getBuiltinModule('node:sqlite').DatabaseSync,
};
const Database = await loaders[client]();
const db = new Database(file);
db.exec('/* SECRET */ CREATE TABLE secret_table (id INTEGER PRIMARY KEY, text TEXT UNIQUE)');

const request = (fn) => inSpan('request', fn, { kind: SpanKind.SERVER });
const activeId = () => trace.getActiveSpan()?.spanContext().spanId;
const COUNT =
  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ?) SELECT count(*), 'SECRET' FROM c";
const counting = db.prepare(COUNT);
const inserting = db.prepare(`-- SECRET\n INSERT INTO secret_table (text) ${COUNT.replace(',', ' ||')}`);

/** How far to count for this machine to be busy for so many ms. */
function calibrate(ms) {
  let n = 50_000;
  const once = () => timed(() => counting.get(n));
  while (Math.min(once(), once()) < ms) n = Math.ceil(n * 1.5);
  return n;
}

/** Each holds the loop in one call of SQLite's. */
const slowCalls = {
  all: function readAll(n) {
    counting.all(n);
  },
  get: function readOne(n) {
    counting.get(n);
  },
  run: function write(n) {
    inserting.run(n);
  },
  exec: function execute(n) {
    db.exec(`  ${COUNT.replace('?', n)}; SELECT 'SECRET'`);
  },
  next: function walk(n) {
    for (const row of counting.iterate(n)) void row;
  },
};

const scenarios = {
  async slow() {
    const n = calibrate(80);
    // start-up is over, and the thread watches
    await sleep(300);
    for (const [call, run] of Object.entries(slowCalls)) {
      let ms = 0;
      const spanId = await request(async () => {
        await sleep(3);
        ms = timed(() => run(n));
      });
      truth({ call, spanId, ms });
      await sleep(30);
    }
  },

  /** Iterations that end in each way, and what is active meanwhile. */
  async iterate() {
    const insert = db.prepare('INSERT INTO secret_table (text) VALUES (?)');
    for (let i = 0; i < 5; i++) insert.run(`SECRET ${i}`);
    const select = db.prepare("SELECT id, text FROM secret_table WHERE text LIKE 'SECRET%'");
    const steps = {
      done: () => [...select.iterate()].length,
      return: () => {
        for (const row of select.iterate()) return row.id;
      },
      throw: () => {
        const failing = db.prepare(
          'SELECT id, CASE WHEN id < 3 THEN 1 ELSE abs(-9223372036854775808) END FROM secret_table',
        );
        let rows = 0;
        try {
          for (const row of failing.iterate()) rows += row.id > 0 ? 1 : 0;
        } catch {}
        return rows;
      },
      'in the midst': () => {
        let inside;
        for (const row of select.iterate()) inside ??= row.id && activeId();
        return inside;
      },
    };
    for (const [how, run] of Object.entries(steps)) {
      let result;
      const spanId = await request(() => {
        result = run();
      });
      truth({ how, spanId, result });
    }
  },

  async errors() {
    const failures = {
      syntax: () => db.exec('SECRET syntax'),
      prepare: () => db.prepare('SELECT SECRET'),
      unique: () => {
        const insert = db.prepare('INSERT INTO secret_table (text) VALUES (?)');
        insert.run('SECRET');
        insert.run('SECRET');
      },
      argument: () => counting.all({}, Symbol('SECRET')),
    };
    for (const [what, fail] of Object.entries(failures)) {
      let error;
      const spanId = await request(() => {
        try {
          fail();
        } catch (e) {
          error = { name: e.name, message: e.message, code: e.code, errcode: e.errcode };
        }
      });
      truth({ what, spanId, error });
    }
  },

  /** Of one client each. */
  async more() {
    if (client === 'better-sqlite3') {
      const insert = db.prepare('INSERT INTO secret_table (text) VALUES (?)');
      const insertAll = db.transaction((texts) => {
        for (const text of texts) insert.run(text);
        return tracer.startActiveSpan('inner', (span) => {
          insert.run('SECRET inner');
          span.end();
          return span.spanContext().spanId;
        });
      });
      let innerId;
      truth({
        what: 'transaction',
        spanId: await request(() => {
          innerId = insertAll.immediate(['SECRET 1', 'SECRET 2', 'SECRET 3']);
        }),
        innerId,
      });
      truth({ what: 'pragma', spanId: await request(() => db.pragma('user_version = 7')) });
      let steps = 0;
      truth({
        what: 'backup',
        spanId: await request(() => db.backup(`${file}.backup`, { progress: () => void steps++ })),
        steps,
      });
      truth({ what: 'serialize', spanId: await request(() => db.serialize()) });
      truth({ what: 'close', spanId: await request(() => db.close()) });
      return;
    }
    const session = db.createSession();
    db.prepare('INSERT INTO secret_table (text) VALUES (?)').run('SECRET');
    let changes;
    truth({
      what: 'changeset',
      spanId: await request(() => {
        changes = session.changeset();
      }),
    });
    db.exec('DELETE FROM secret_table');
    truth({ what: 'applyChangeset', spanId: await request(() => db.applyChangeset(changes)) });
    if (db.createTagStore) {
      const sql = db.createTagStore();
      const read = () => sql.all`SELECT text FROM secret_table WHERE text = ${'SECRET'}`.length;
      truth({ what: 'tag', spanId: await request(read) });
      truth({ what: 'tags', spanId: await request(() => [...sql.iterate`SELECT ${'SECRET'} AS a`].length) });
    }
    truth({ what: 'close', spanId: await request(() => db.close()) });
  },
};

await scenarios[scenario]();
await sleep(50);
