// pg's queries in spans, as `DATABASE_URL=… node pg.mjs SETUP LOADED SCENARIO`.
// SETUP: alone (loopblame is preloaded), or the order in which loopblame and the official instrumentation are given to an
// SDK of this program's own: ours-first, theirs-first, theirs. LOADED: import or require. Texts and values have SECRET in them.
import { createRequire, register } from 'node:module';
import { connect, createServer } from 'node:net';
import { TLSSocket } from 'node:tls';
import { SpanKind } from '@opentelemetry/api';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { burn, inSpan, sleep, truth } from './lib.mjs';

const [setup, loaded, scenario] = process.argv.slice(2);
const require = createRequire(import.meta.url);
let sdk;
if (setup !== 'alone') {
  register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);
  const { EventLoopInstrumentation } = await import('loopblame');
  // an instrumentation is in place from its construction on
  const made = { ours: () => new EventLoopInstrumentation(), theirs: () => new PgInstrumentation() };
  const order = { 'ours-first': ['ours', 'theirs'], 'theirs-first': ['theirs', 'ours'], theirs: ['theirs'] };
  sdk = new NodeSDK({ instrumentations: order[setup].map((which) => made[which]()) });
  sdk.start();
}
const pg = loaded === 'import' ? (await import('pg')).default : require('pg');

// What parsing takes, by a clock of this program's own: inside of whatever loopblame patches.
const { Parser } = require('pg-protocol/dist/parser');
const { parse } = Parser.prototype;
let parsing = { parseMs: 0, chunks: 0 };
Parser.prototype.parse = function (...args) {
  const start = performance.now();
  try {
    return parse.apply(this, args);
  } finally {
    parsing.parseMs += performance.now() - start;
    parsing.chunks++;
  }
};

const connectionString = process.env.DATABASE_URL;
const ROWS = "SELECT i, 'SECRET' || i AS text, now() AS time, i * 1.5 AS number FROM generate_series(1, $1::int) AS i";
const request = (fn) => inSpan('request', fn, { kind: SpanKind.SERVER });

async function withClient(run, more = {}) {
  const client = new pg.Client({ connectionString, ...more });
  await client.connect();
  try {
    await run(client);
  } finally {
    await client.end();
  }
}

async function withPool(run, more = {}) {
  const pool = new pg.Pool({ connectionString, ...more });
  try {
    await run(pool);
  } finally {
    await pool.end();
  }
}

/** Runs a query in a request, and tells what it took to parse. */
async function tell(what, query) {
  await sleep(30);
  parsing = { parseMs: 0, chunks: 0 };
  const start = performance.now();
  let atEnd;
  const spanId = await request(async () => {
    await query();
    atEnd = parsing;
  });
  truth({ what, spanId, ms: performance.now() - start, ...atEnd });
}

/** A value that takes its time to be written. */
const slowValue = {
  toPostgres: function writeSlowly() {
    burn(60);
    return 'SECRET';
  },
};
/** A type that takes its time to be read. */
const slowTypes = {
  getTypeParser: () =>
    function readSlowly(text) {
      burn(60);
      return text;
    },
};

/** A TLS server before PostgreSQL: by a key that both know, since nobody here can make a certificate. */
async function startTls() {
  const { hostname, port } = new URL(connectionString);
  const psk = Buffer.from('0123456789abcdef');
  const options = { ciphers: 'PSK', maxVersion: 'TLSv1.2' };
  const server = createServer((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { ...options, isServer: true, pskCallback: () => psk });
      const plain = connect(Number(port), hostname);
      secure.pipe(plain).pipe(secure);
      for (const end of [secure, plain, socket]) end.on('error', () => plain.destroy());
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const pskCallback = () => ({ psk, identity: 'test' });
  const ssl = { ...options, pskCallback, checkServerIdentity: () => undefined };
  return { port: server.address().port, ssl, close: () => server.close() };
}

const scenarios = {
  /** A hundred thousand rows, in each way to ask for them. */
  async rows() {
    const rows = 100_000;
    await withClient(async (client) => {
      await tell('promise', () => client.query(ROWS, [rows]));
      await tell('callback', () => new Promise((resolve) => client.query(ROWS, [rows], resolve)));
      await tell(
        'query object',
        () =>
          new Promise((resolve) => {
            const query = new pg.Query({ text: ROWS, values: [rows] });
            let count = 0;
            query.on('row', () => count++);
            client.query(query).on('end', () => resolve(count));
          }),
      );
    });
    await withPool(async (pool) => {
      // not with the connecting
      await pool.query('SELECT 1');
      await tell('pool', () => pool.query(ROWS, [rows]));
      await tell('pool callback', () => new Promise((resolve) => pool.query(ROWS, [rows], resolve)));
      await tell('pool client', async () => {
        const client = await pool.connect();
        await client.query(ROWS, [rows]);
        client.release();
      });
    });
  },

  async tls() {
    const server = await startTls();
    await withClient((client) => tell('tls', () => client.query(ROWS, [100_000])), {
      connectionString: undefined,
      ...new pg.Client(connectionString).connectionParameters,
      host: '127.0.0.1',
      port: server.port,
      ssl: server.ssl,
    });
    server.close();
  },

  /** Code of the application's own that pg runs. */
  async own() {
    await withClient(async (client) => {
      await tell('value', () => client.query('SELECT $1::text AS "SECRET"', [slowValue]));
      await tell('type', () => client.query({ text: "SELECT 'SECRET'", types: slowTypes }));
      await tell(
        'in the callback',
        () =>
          new Promise((resolve) => {
            client.query("SELECT 'SECRET'", function useResult() {
              burn(60);
              resolve();
            });
          }),
      );
      await tell(
        'in the callback of an error',
        () =>
          new Promise((resolve) => {
            client.query('SELECT SECRET', function useError() {
              burn(60);
              resolve();
            });
          }),
      );
    });
  },

  /** More queries than clients: who waits runs in the context of whoever gave the client back. */
  async waiting() {
    await withPool(
      async (pool) => {
        await pool.query('SELECT 1');
        await Promise.all([
          tell('sleeps', () => pool.query("SELECT pg_sleep(0.3), 'SECRET'")),
          sleep(100).then(() => tell('waits', () => pool.query(ROWS, [50_000]))),
          sleep(150).then(() => tell('waits too', () => pool.query('SELECT 2'))),
        ]);
      },
      { max: 1 },
    );
  },

  /** Without an active span, and after the span has ended. */
  async nobody() {
    await withClient(async (client) => {
      await client.query(ROWS, [1000]);
      let late;
      const spanId = await request(() => {
        late = sleep(20).then(() => client.query(ROWS, [1000]));
      });
      await late;
      truth({ what: 'late', spanId });
    });
  },

  async failures() {
    const failing = {
      syntax: (client) => client.query('SECRET syntax'),
      values: (client) =>
        client.query('SELECT $1', [
          {
            toPostgres: () => {
              throw new RangeError('SECRET');
            },
          },
        ]),
      constraint: (client) => client.query('SELECT 1 / $1::int', [0]),
    };
    await withClient(async (client) => {
      for (const [what, fail] of Object.entries(failing)) {
        await tell(what, () => fail(client).catch((error) => truth({ error: error.message })));
      }
    });
  },
};

await sleep(300);
await scenarios[scenario]();
await sleep(300);
await sdk?.shutdown();
