import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { platform } from 'node:os';
import { type TestContext, test } from 'node:test';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import pg from 'pg';
import { timeoutOf, writeTimeout } from '../../../src/blame/timeouts.ts';
import { UnreadAnswers } from '../../../src/door/answers.ts';
import type { SpanState } from '../../../src/spans/tracker.ts';
import { needs } from '../../support/needs.ts';

type ReadableSpan = Parameters<typeof timeoutOf>[0];
const isTimeout = (span: ReadableSpan): boolean => timeoutOf(span) !== undefined;

const tracer = new BasicTracerProvider().getTracer('test');

interface Failure {
  name?: string;
  code?: string | number;
  message: string;
}

/** A span as instrumentations end it: with the message in its status, and some with the exception. */
function failed({ name = 'Error', code, message }: Failure, { records = false, kind = SpanKind.CLIENT } = {}) {
  const span = tracer.startSpan('call', { kind });
  if (records) span.recordException({ name, message, ...(code !== undefined && { code }) });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  return span as unknown as ReadableSpan;
}

// What the clients themselves threw at a server that accepts connections and stays silent (but for those in brackets,
// whose text was read in their source).
const TIMEOUTS: Record<string, Failure> = {
  'mysql2 3.24 connectTimeout': { code: 'ETIMEDOUT', message: 'connect ETIMEDOUT' },
  '[mysql2 3.24 timeout]': { code: 'PROTOCOL_SEQUENCE_TIMEOUT', message: 'Query inactivity timeout' },
  'ioredis 6.0 commandTimeout': { message: 'Command timed out' },
  'redis 6.3 socketTimeout': { message: "Socket timeout timeout. Expecting data, but didn't receive any in 150ms." },
  'mongodb 7.9 serverSelectionTimeoutMS': {
    name: 'MongoServerSelectionError',
    message: 'Server selection timed out after 200 ms',
  },
  '[mongodb 7.9 socketTimeoutMS]': {
    name: 'MongoNetworkTimeoutError',
    message: 'connection 3 to 127.0.0.1:27017 timed out',
  },
  '[mongodb 7.9 timeoutMS]': { name: 'MongoOperationTimeoutError', message: 'Timed out during socket read (200ms)' },
  'kafkajs 2.2 requestTimeout': {
    name: 'KafkaJSRequestTimeoutError',
    message: 'Request Produce(key: 0, version: 7) timed out',
  },
  'fetch with AbortSignal.timeout': {
    name: 'TimeoutError',
    code: 23,
    message: 'The operation was aborted due to timeout',
  },
  'fetch with an AbortController': { name: 'AbortError', code: 20, message: 'This operation was aborted' },
  'node:http with a signal': { name: 'AbortError', code: 'ABORT_ERR', message: 'The operation was aborted' },
  'undici 6.29 headersTimeout': {
    name: 'HeadersTimeoutError',
    code: 'UND_ERR_HEADERS_TIMEOUT',
    message: 'Headers Timeout Error',
  },
  'axios 1.21': { name: 'AxiosError', code: 'ECONNABORTED', message: 'timeout of 100ms exceeded' },
  'got 14.6': { name: 'TimeoutError', code: 'ETIMEDOUT', message: "Timeout awaiting 'request' for 100ms" },
  'tedious 19.2': { code: 'ETIMEOUT', message: 'Failed to connect to 127.0.0.1:1433 in 200ms' },
  '[cassandra-driver 4.10]': { message: 'The host 127.0.0.1:9042 did not reply before timeout 200 ms' },
  '@grpc/grpc-js 1.14': {
    code: 4,
    message: '4 DEADLINE_EXCEEDED: Deadline exceeded after 0.201s,name resolution: 0.004s,Waiting for LB pick',
  },
};

for (const [client, failure] of Object.entries(TIMEOUTS)) {
  test(`${client}: its timeout is known by its message, or by its exception`, () => {
    assert.equal(isTimeout(failed(failure)), true);
    assert.equal(isTimeout(failed(failure, { records: true })), true);
  });
}

test('pg: its own timeouts, as it throws them', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const options = { host: '127.0.0.1', port, connectionTimeoutMillis: 50 };
  const errorOf = (connecting: Promise<unknown>): Promise<Error> =>
    connecting.then(
      () => assert.fail('it connected'),
      (error: Error) => error,
    );
  try {
    for (const error of [
      await errorOf(new pg.Client(options).connect()),
      await errorOf(new pg.Pool(options).connect()),
    ]) {
      assert.equal(isTimeout(failed(error)), true, error.message);
    }
  } finally {
    silent.close();
  }
  for (const message of ['Query read timeout', 'timeout exceeded when trying to connect']) {
    assert.equal(isTimeout(failed({ message })), true, message);
  }
});

test('what a server or the kernel has measured is none, nor any other failure', () => {
  for (const failure of [
    { code: '57014', message: 'canceling statement due to statement timeout' },
    { code: 'ETIMEDOUT', message: 'connect ETIMEDOUT 10.255.255.1:5432' },
    { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:5432' },
    { name: 'MongoServerError', code: 50, message: 'operation exceeded time limit' },
    { message: 'column "timeout" does not exist' },
  ]) {
    assert.equal(isTimeout(failed(failure, { records: true })), false, failure.message);
  }
});

test('only spans that wait for somebody else, and only those that failed', () => {
  const timeout = { message: 'Query read timeout' };
  assert.equal(isTimeout(failed(timeout, { kind: SpanKind.PRODUCER })), true);
  assert.equal(isTimeout(failed(timeout, { kind: SpanKind.INTERNAL })), false);
  assert.equal(isTimeout(failed(timeout, { kind: SpanKind.SERVER })), false);
  const span = tracer.startSpan('call', { kind: SpanKind.CLIENT });
  span.recordException({ name: 'Error', message: 'Query read timeout' });
  assert.equal(isTimeout(span as unknown as ReadableSpan), false);
  // an implementation that shows nothing
  assert.equal(isTimeout({}), false);
});

interface Ending {
  lostMs: number;
  endsInTurn: number;
  message?: string;
  port?: number;
  answers?: UnreadAnswers;
}

/** What is written on a span that timed out after 100 ms, so many of which it lost to a stall told in turn 7. */
function written({ lostMs, endsInTurn, message = 'Query read timeout', port, answers }: Ending) {
  const span = failed({ message }) as ReturnType<typeof failed> & { setAttribute(name: string, value: number): void };
  if (port !== undefined) span.setAttribute('server.port', port);
  const state = { span, startedAt: 1_000, stalled: { ms: lostMs, turn: 7 } } as unknown as SpanState;
  writeTimeout(state, 1_100, endsInTurn, answers ?? new UnreadAnswers());
  const { 'server.port': _, ...rest } = span.attributes ?? {};
  return rest;
}

const suspect = { 'event_loop.timeout.suspect': true, 'event_loop.timeout.stalled_ratio': 0.5 };

test('suspect: it ends right after the stall, which took at least half of its time', () => {
  assert.deepEqual(written({ lostMs: 50, endsInTurn: 7 }), suspect);
  assert.deepEqual(written({ lostMs: 50, endsInTurn: 9 }), suspect);
  assert.deepEqual(written({ lostMs: 50, endsInTurn: 10 }), {});
  assert.deepEqual(written({ lostMs: 49.9, endsInTurn: 7 }), {});
});

/** Connects to a server of this process in the given family; returns its port, and what the kernel holds unread. */
async function connected(t: TestContext, host: string) {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  // nobody reads it
  const client = connect({ port, host, onread: { buffer: Buffer.alloc(1), callback: () => false } }).pause();
  const [socket] = await accepted;
  t.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return { port, answer: () => new Promise<void>((resolve) => void socket.write('an answer', () => resolve())) };
}

const notLinux = platform() === 'linux' ? false : 'the kernel is asked on Linux only';

for (const [host, missing] of [
  ['127.0.0.1', false],
  ['::1', needs.ipv6()],
] as const) {
  test(`no suspect: the kernel holds no answer of the server at ${host}`, {
    skip: notLinux || missing,
  }, async (t) => {
    const { port, answer } = await connected(t, host);
    const answers = new UnreadAnswers();
    const silent = { lostMs: 50, endsInTurn: 7, port, answers };
    assert.equal(answers.from(port, 6), false);
    assert.deepEqual(written(silent), {});
    // where the client has closed its connection by then, its absence tells nothing
    assert.deepEqual(written({ ...silent, message: 'Headers Timeout Error' }), suspect);
    // nor does it where the sockets have been read since
    assert.deepEqual(written({ ...silent, endsInTurn: 8 }), suspect);
    // nobody is connected to that one
    assert.deepEqual(written({ ...silent, port: 1 }), suspect);

    await answer();
    assert.deepEqual(written(silent), {}, 'once a turn is enough');
    const later = new UnreadAnswers();
    assert.equal(later.from(port, 7), true);
    assert.deepEqual(written({ ...silent, answers: later }), suspect);
  });
}

test('where the kernel tells nothing, nothing is known', () => {
  const answers = new UnreadAnswers('/nowhere');
  assert.equal(answers.from(5432, 7), undefined);
  assert.deepEqual(written({ lostMs: 50, endsInTurn: 7, port: 5432, answers }), suspect);
});
