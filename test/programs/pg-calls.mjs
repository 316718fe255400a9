// All that can be seen of pg's calls, for a comparison with and without loopblame: `DATABASE_URL=… node pg-calls.mjs LOADED`.
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { sleep } from './lib.mjs';
import { attempt, see, seeMethods, shapeOf, tell } from './side-by-side.mjs';

const require = createRequire(import.meta.url);
const pg = process.argv[2] === 'import' ? (await import('pg')).default : require('pg');
const { Client, Connection, Pool, Query } = pg;
const PoolItself = Object.getPrototypeOf(Pool.prototype);
const connectionString = process.env.DATABASE_URL;

see('exports', Object.keys(pg));
for (const [what, prototype] of Object.entries({
  Client: Client.prototype,
  Connection: Connection.prototype,
  Query: Query.prototype,
  Pool: PoolItself,
})) {
  const own = Object.getOwnPropertyDescriptors(prototype);
  seeMethods(
    what,
    prototype,
    Object.keys(own).filter((name) => 'value' in own[name]),
  );
  see(what, shapeOf(prototype.constructor));
}

const client = new Client({ connectionString });
see('client', Object.keys(client));
see('connect', (await client.connect()) === client || 'undefined');
const { stream } = client.connection;
see('listeners of the socket', [
  stream.eventNames().map(String).sort(),
  ['data', 'end', 'error', 'close'].map((event) => [
    stream.listenerCount(event),
    stream.listeners(event).map((l) => [l.name, l.length]),
  ]),
]);

const shown = (result) =>
  Array.isArray(result)
    ? result.map(shown)
    : {
        command: result.command,
        rowCount: result.rowCount,
        rows: result.rows,
        fields: result.fields?.map((f) => f.name),
      };
const failed = (error) => {
  const { name, message, code, position, routine } = error;
  return { name, message, code, position, routine, class: error.constructor.name, keys: Object.keys(error).sort() };
};

// Promises
const promise = client.query('SELECT 1 AS x');
see('a promise', [promise.constructor === Promise, Object.keys(promise)]);
see('result', shown(await promise));
see('values', shown(await client.query('SELECT $1::int AS a, $2::text AS b, $3::json AS c', [7, 'x', { y: [null] }])));
see(
  'config',
  shown(await client.query({ text: 'SELECT $1::text AS a', values: ['named'], name: 'named', rowMode: 'array' })),
);
see('named again', shown(await client.query({ name: 'named', text: 'SELECT $1::text AS a', values: ['again'] })));
see('several', shown(await client.query('SELECT 1 AS a; SELECT 2 AS b')));
see('empty', shown(await client.query('')));
see(
  'types',
  shown(await client.query({ text: 'SELECT 1 AS a', types: { getTypeParser: () => (text) => `parsed ${text}` } })),
);
for (const [what, args] of Object.entries({
  syntax: ['NO SUCH THING'],
  'too few values': ['SELECT $1::int, $2::int', [1]],
  'a bad value': ['SELECT $1::int', ['x']],
  'a value that throws': [
    'SELECT $1',
    [
      {
        toPostgres: () => {
          throw new RangeError('no');
        },
      },
    ],
  ],
  'another text of a name': [{ name: 'named', text: 'SELECT 2' }],
  'values that are none': ['SELECT $1', 'x'],
  'no text': [{}],
  'a parser that throws': [
    {
      text: 'SELECT 1',
      types: {
        getTypeParser: () => () => {
          throw new SyntaxError('unread');
        },
      },
    },
  ],
})) {
  await client.query(...args).then(
    (result) => see(what, shown(result)),
    (error) => see(what, failed(error)),
  );
}
attempt('no query', () => client.query());
attempt('no callback', () => client.query('SELECT 1', [], 7));
attempt('query on nothing', () => Client.prototype.query.call(undefined, 'SELECT 1'));
attempt('_pulseQueryQueue on nothing', () => Client.prototype._pulseQueryQueue.call(undefined));
attempt('pool.query on nothing', () => PoolItself.query.call(undefined, 'SELECT 1'));

// Callbacks: what they get, and when
const order = [];
await new Promise((resolve) => {
  const returned = client.query('SELECT 1 AS x', function (...args) {
    order.push('callback');
    process.nextTick(() => order.push('tick of the callback'));
    Promise.resolve().then(() => order.push('microtask of the callback'));
    see('callback', {
      self: this === undefined ? 'undefined' : this.constructor.name,
      length: args.length,
      error: args[0],
      result: shown(args[1]),
    });
    setImmediate(resolve);
  });
  order.push('returned');
  see('query with a callback returned', returned);
});
await new Promise((resolve) => {
  client.query('SELECT $1::int AS x', [3], (error, result) => {
    see('callback with values', [error, shown(result)]);
    resolve();
  });
});
await new Promise((resolve) => {
  client.query('NO SUCH THING', function (error, result) {
    see('callback of an error', [this?.constructor.name, failed(error), result]);
    resolve();
  });
});
client.query('SELECT 1').then(() => order.push('first'));
client.query('SELECT 2', () => order.push('second'));
await client.query('SELECT 3').then(() => order.push('third'));
const thrown = new Error('from a callback');
const uncaught = once(process, 'uncaughtException');
client.query('SELECT 1', () => {
  throw thrown;
});
see('what a callback throws is uncaught, and the very error', (await uncaught)[0] === thrown);
see('and the client goes on', shown(await client.query('SELECT 1 AS x')));

// Queries as objects, and their events
const callback = () => order.push('callback of an object');
const query = new Query('SELECT i FROM generate_series(1, 3) i', callback);
see('query', [Object.keys(query), query instanceof Query]);
see('the very query', client.query(query) === query);
see('its very callback', query.callback === callback);
for (const event of ['row', 'end', 'error']) {
  query.on(event, (...args) => see(`event ${event}`, [args.length, event === 'row' ? args[0] : shown(args[0])]));
}
await once(query, 'end');
const failing = client.query(new Query('NO SUCH THING'));
see('event error', failed((await once(failing, 'error'))[0]));
// until it is ready again
await client.query('SELECT 1');
// what pg-cursor and pg-query-stream are to pg
const submittable = Object.assign(Object.create(Query.prototype, {}), new Query('SELECT 1 AS x'), {
  submit(...args) {
    see('submit', [this === submittable, args.length, args[0] === client.connection]);
    return Query.prototype.submit.apply(this, args);
  },
  handleReadyForQuery(...args) {
    see('handleReadyForQuery', [this === submittable, args.length]);
  },
});
see('the very submittable', client.query(submittable) === submittable);
await client.query('SELECT 1');
see('queries as they were', [
  (await client.query({ text: 'SELECT 1', submit: undefined })).rowCount,
  client._activeQuery === null || client._activeQuery === undefined,
]);

// Notifications and notices
// others run beside us
const channel = `calls_${process.pid}`;
client.on('notification', ({ channel: on, payload }) => see('notification', [on === channel, payload]));
client.on('notice', ({ message }) => see('notice', message));
await client.query(`LISTEN ${channel}`);
await client.query(`NOTIFY ${channel}, 'payload'`);
await client.query("DO $$ BEGIN RAISE NOTICE 'noticed'; END $$");

// A rejection that nobody handles
const unhandled = once(process, 'unhandledRejection');
client.query('NO SUCH THING');
see('unhandled', failed((await unhandled)[0]));
await client.query('SELECT pg_sleep(0.2)').constructor;
client.query({ text: 'SELECT pg_sleep(0.5)', query_timeout: 50 }).catch((error) => see('timeout', error.message));
await sleep(600);
see('end', await client.end());
await client.query('SELECT 1').catch((error) => see('after the end', failed(error)));

// Pools
const pool = new Pool({ connectionString, max: 1 });
for (const event of ['connect', 'acquire', 'release', 'remove'])
  pool.on(event, (...args) => order.push(`pool ${event} ${args.length}`));
const pooled = pool.query('SELECT 1 AS x');
see('a promise of the pool', [pooled.constructor === Promise, Object.keys(pooled)]);
see('pool.query', shown(await pooled));
await new Promise((resolve) => {
  const returned = pool.query('SELECT $1::int AS x', [2], function (...args) {
    see('callback of the pool', [this === undefined, args.length, args[0], shown(args[1])]);
    resolve();
  });
  see('pool.query with a callback returned', returned);
});
// the client of a failed query is closed: when that is told is the network's matter
const removed = once(pool, 'remove');
await pool.query('NO SUCH THING').catch((error) => see('error of the pool', failed(error)));
await removed;
const waiting = [1, 2, 3].map((n) =>
  pool.query('SELECT $1::int AS x', [n]).then(({ rows }) => order.push(`pool ${rows[0].x}`)),
);
see('waiting', [pool.waitingCount, pool._pendingQueue.length, Object.keys(pool._pendingQueue[0])]);
await Promise.all(waiting);
const held = await pool.connect();
pool.query('SELECT 4', () => order.push('pool 4'));
pool.connect((error, _other, release) => {
  order.push(`pool connected ${error} ${typeof release}`);
  release();
});
await sleep(50);
held.release();
await pool.query('SELECT 5');
await pool.query().catch((error) => see('no query for a pool', failed(error)));
await new Promise((resolve) => pool.query(() => resolve()));
see('pool.end', await pool.end());
await pool.query('SELECT 1').catch((error) => see('after the end of the pool', failed(error)));
const impatient = new Pool({ connectionString, max: 1, connectionTimeoutMillis: 1000 });
const busy = await impatient.connect();
await impatient.query('SELECT 1').catch((error) => see('nobody gave a client back', failed(error)));
see('and nobody waits any more', impatient.waitingCount);
busy.release();
await impatient.end();

// Many queries on the wire at once
const pipelined = new Client({ connectionString, pipeline: true });
await pipelined.connect();
see(
  'pipelined',
  (await Promise.all([1, 2, 3].map((n) => pipelined.query('SELECT $1::int AS x', [n])))).map(({ rows }) => rows[0].x),
);
await pipelined.end();

see('order', order);
tell(Query.prototype.submit, 'connection.parsedStatements');
