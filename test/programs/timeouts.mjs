/**
 * A client's call that runs into its timeout, as `node timeouts.mjs CLIENT WHEN`. WHEN is `in-stall` (the server answers in
 * 150 ms, the client waits for 500, and the loop is held from soon after the call until 900 ms later), `silent` (the same,
 * but the server does not answer) or `free` (the server does not answer, and the loop is held for a while before the
 * deadline, and not at it).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { inSpan, sleep, timed, truth } from './lib.mjs';

const require = createRequire(import.meta.url);
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { KafkaJsInstrumentation } = require('@opentelemetry/instrumentation-kafkajs');
const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg');
const { UndiciInstrumentation } = require('@opentelemetry/instrumentation-undici');
registerInstrumentations({
  instrumentations: [new KafkaJsInstrumentation(), new PgInstrumentation(), new UndiciInstrumentation()],
});
const pg = require('pg');
const { Kafka, logLevel } = require('kafkajs');

const ANSWER_MS = 150;
const TIMEOUT_MS = 500;
const HOLD_MS = 900;
const EARLY_HOLD_MS = 300;

const [, , client, when] = process.argv;
const inTime = when === 'in-stall';

async function startServer() {
  const server = spawn(process.execPath, [fileURLToPath(new URL('slow-server.mjs', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  server.stdout.setEncoding('utf8');
  const [line] = await once(server.stdout, 'data');
  server.unref();
  server.channel.unref();
  server.stdout.unref();
  return { url: `http://127.0.0.1:${line.match(/\d+/)[0]}`, close: () => server.kill() };
}

const get = (url, options) =>
  new Promise((resolve, reject) => {
    http
      .get(url, options, (response) => {
        response.resume();
        response.on('end', resolve);
      })
      .on('error', reject);
  });

/** Each opens what it needs, and gives the call and what closes it again. */
const clients = {
  async 'pg-query'() {
    const db = new pg.Client({ connectionString: process.env.DATABASE, query_timeout: TIMEOUT_MS });
    db.on('error', () => {});
    await db.connect();
    await db.query('select 1');
    const seconds = inTime ? ANSWER_MS / 1e3 : 2;
    return { call: () => db.query(`select pg_sleep(${seconds})`), close: () => db.end() };
  },

  // the server's own clock, which no loop of ours holds
  async 'pg-statement'() {
    const db = new pg.Client({ connectionString: process.env.DATABASE, statement_timeout: TIMEOUT_MS });
    await db.connect();
    return { call: () => db.query('select pg_sleep(2)'), close: () => db.end() };
  },

  async 'pg-pool'() {
    const pool = new pg.Pool({ connectionString: process.env.DATABASE, max: 1, connectionTimeoutMillis: TIMEOUT_MS });
    const seconds = inTime ? ANSWER_MS / 1e3 : 2;
    // the only connection: whoever wants one waits until the query has been answered
    const first = await pool.connect();
    const call = () => {
      first.query(`select pg_sleep(${seconds})`).finally(() => first.release());
      return pool.connect().then((connection) => connection.release());
    };
    return { call, close: () => pool.end() };
  },

  async fetch() {
    const server = await startServer();
    await fetch(`${server.url}/0`).then((response) => response.text());
    const url = `${server.url}/${inTime ? ANSWER_MS : 'never'}`;
    return {
      call: () => fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).then((response) => response.text()),
      answeredMs: async () => (await (await fetch(`${server.url}/answered`)).json())[ANSWER_MS],
      close: server.close,
    };
  },

  async http() {
    const server = await startServer();
    const agent = new http.Agent({ keepAlive: true });
    await get(`${server.url}/0`, { agent });
    const url = `${server.url}/${inTime ? ANSWER_MS : 'never'}`;
    return {
      call: () => get(url, { agent, signal: AbortSignal.timeout(TIMEOUT_MS) }),
      answeredMs: async () => (await (await fetch(`${server.url}/answered`)).json())[ANSWER_MS],
      close: server.close,
    };
  },

  // the mock's round trip takes ANSWER_MS; to make it silent, it is stopped
  async kafkajs() {
    const kafka = new Kafka({
      brokers: [process.env.BROKERS],
      requestTimeout: TIMEOUT_MS,
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
    });
    const broker = Number(process.env.BROKER_PID);
    const producer = kafka.producer();
    await producer.connect();
    const send = () => producer.send({ topic: 'orders', messages: [{ value: 'body' }] });
    // its metadata
    await send();
    const call = async () => {
      if (!inTime) process.kill(broker, 'SIGSTOP');
      try {
        await send();
      } finally {
        process.kill(broker, 'SIGCONT');
      }
    };
    return { call, close: () => producer.disconnect() };
  },
};

const { call, close, answeredMs } = await clients[client]();
await sleep(1500);
let error;
let tookMs;
const request = inSpan('request', async () => {
  const began = performance.now();
  await call().catch((e) => {
    error = e;
  });
  tookMs = performance.now() - began;
});
// the call is on its way by then
await sleep(20);
let heldMs;
const culpritId = await inSpan('culprit', async () => {
  // In a callback of the poll phase, as requests are: timers come next, before the next poll. After a hold in a timer's
  // callback Node.js 24 polls first, and reads the answer.
  await readFile(new URL(import.meta.url));
  // a wait needs no CPU, so it lasts as long on a machine that is short of them
  heldMs = timed(() =>
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, when === 'free' ? EARLY_HOLD_MS : HOLD_MS),
  );
  await sleep(1);
});
await request;
truth({
  culpritId,
  heldMs,
  tookMs,
  error: error && String(error.message),
  answeredMs: await answeredMs?.(),
  timeoutMs: TIMEOUT_MS,
});
await Promise.race([close(), sleep(500)]);
await sleep(300);
process.exit();
