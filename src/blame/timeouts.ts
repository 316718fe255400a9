import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { UnreadAnswers } from '../door/answers.ts';
import * as semconv from '../semconv.ts';
import type { SpanState } from '../spans/tracker.ts';

/** How a client says that its own clock ran out while it waited for an answer. */
interface TimeoutRule {
  readonly client: string;
  /** The error's message, or its type or code, as the instrumentations put them on the span. */
  readonly message?: RegExp;
  readonly type?: RegExp;
  /** The connection is still open when the span ends: an answer that had come stands unread in the kernel. */
  readonly keepsConnection?: true;
  /** Where the client says so. */
  readonly source: string;
}

/**
 * Timeouts that the client measures, by a timer of this loop: a loop that is held past the deadline runs the timer before
 * it reads the answer. What the server or the kernel measures is not here (PostgreSQL's `statement_timeout`, MySQL's
 * `max_execution_time`, MongoDB's `maxTimeMS`, `connect ETIMEDOUT 10.0.0.1:5432` with an address): our loop does not hold
 * their clocks.
 */
const TIMEOUTS: readonly TimeoutRule[] = [
  {
    client: 'pg',
    message: /^Query read timeout$/,
    keepsConnection: true,
    source: 'pg 8 lib/client.js, query_timeout',
  },
  { client: 'pg', message: /^timeout expired$/, source: 'pg 8 lib/client.js, connectionTimeoutMillis' },
  {
    client: 'pg-pool',
    // it waits for a connection that another query has
    message: /^timeout exceeded when trying to connect$/,
    keepsConnection: true,
    source: 'pg-pool 3 index.js, connectionTimeoutMillis',
  },
  {
    client: 'pg-pool',
    message: /^Connection terminated due to connection timeout$/,
    source: 'pg-pool 3 index.js, connectionTimeoutMillis',
  },
  {
    client: 'mysql2',
    message: /^Query inactivity timeout$/,
    type: /^PROTOCOL_SEQUENCE_TIMEOUT$/,
    source: 'mysql2 3 lib/commands/query.js, timeout',
  },
  { client: 'mysql2, ioredis', message: /^connect ETIMEDOUT$/, source: 'their own connectTimeout: without an address' },
  {
    client: 'ioredis',
    message: /^Command timed out$/,
    keepsConnection: true,
    source: 'ioredis 5 and 6 built/Command.js, commandTimeout',
  },
  {
    client: 'redis',
    message: /^(Connection timeout$|Socket timeout )/,
    type: /^(Connection|Socket)Timeout(DuringMaintenance)?Error$/,
    source: '@redis/client 5 and 6 dist/lib/errors.js',
  },
  {
    client: 'kafkajs',
    message: /^Request \w+\(key: \d+, version: \d+\) timed out$/,
    type: /^KafkaJSRequestTimeoutError$/,
    source: 'kafkajs 2 src/network/requestQueue/socketRequest.js, requestTimeout',
  },
  { client: 'kafkajs', message: /^Connection timeout$/, source: 'kafkajs 2 src/network/connection.js' },
  {
    client: 'mongodb',
    message:
      /^(connection \S+ to \S+ timed out$|Socket '\w+' timed out after |Server selection timed out after |Timed out )/,
    type: /^Mongo(NetworkTimeout|OperationTimeout|WaitQueueTimeout)Error$/,
    source: 'mongodb 6 and 7 lib/cmap/connection.js, lib/cmap/connect.js, lib/sdam/topology.js, lib/error.js',
  },
  {
    client: 'undici, fetch',
    message: /^(Headers|Body|Connect) Timeout Error/,
    type: /^UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT$/,
    source: 'undici 5 to 7 lib/core/errors.js',
  },
  {
    client: 'AbortSignal.timeout()',
    message: /^The operation was aborted due to timeout$/,
    type: /^(TimeoutError|23)$/,
    source: "Node.js lib/internal/abort_controller.js; 23 is the DOMException's legacy code",
  },
  {
    client: 'AbortController and a timer; node:http with a signal',
    message: /^(This|The) operation was aborted$/,
    type: /^(AbortError|ABORT_ERR|20)$/,
    source: 'Node.js lib/internal/errors.js; 20 as above',
  },
  { client: 'axios', message: /^timeout of \d+ms exceeded$/, source: 'axios 1 lib/adapters/http.js, timeout' },
  { client: 'got', message: /^Timeout awaiting '\w+' for \d+ms$/, source: 'got 14 dist/source/core/timed-out.js' },
  {
    client: 'tedious',
    message: /^(Timeout: Request failed to complete in \d+ms|Failed to connect to .* in \d+ms)$/,
    type: /^ETIMEOUT$/,
    source: 'tedious 19 lib/connection.js',
  },
  {
    client: 'cassandra-driver',
    message: /^The host .* did not reply before timeout \d+ ms$/,
    source: 'cassandra-driver 4 lib/operation-state.js',
  },
  {
    client: '@grpc/grpc-js',
    message: /^(4 DEADLINE_EXCEEDED: )?Deadline exceeded/,
    source: '@grpc/grpc-js 1 build/src/resolving-call.js',
  },
];

/** What the SDK's spans show of themselves; others may show nothing. */
interface ReadableSpan {
  readonly kind?: SpanKind;
  readonly status?: { readonly code: SpanStatusCode; readonly message?: string };
  readonly attributes?: Attributes;
  readonly events?: readonly { readonly name: string; readonly attributes?: Attributes }[];
}

/** Spans that wait for somebody else's answer. */
const WAITING_KINDS: readonly unknown[] = [SpanKind.CLIENT, SpanKind.PRODUCER];

/** By which rule a client's span has failed by the client's own clock, if it has. */
export function timeoutOf(span: ReadableSpan): TimeoutRule | undefined {
  if (span.status?.code !== SpanStatusCode.ERROR || !WAITING_KINDS.includes(span.kind)) return undefined;
  const messages: unknown[] = [span.status.message];
  const types: unknown[] = [span.attributes?.['error.type']];
  for (const { name, attributes = {} } of span.events ?? []) {
    if (name !== 'exception') continue;
    messages.push(attributes['exception.message']);
    types.push(attributes['exception.type']);
  }
  return TIMEOUTS.find(({ message, type }) => matches(message, messages) || matches(type, types));
}

/** The server's port, as instrumentations of today and yesterday say it. */
function portOf({ attributes = {} }: ReadableSpan): number | undefined {
  const port = Number(attributes['server.port'] ?? attributes['network.peer.port'] ?? attributes['net.peer.port']);
  return Number.isInteger(port) && port > 0 ? port : undefined;
}

function matches(pattern: RegExp | undefined, texts: readonly unknown[]): boolean {
  return pattern !== undefined && texts.some((text) => text !== undefined && pattern.test(String(text)));
}

/** A timer that was overdue when a stall ended runs in the next turn, and its error may take another one to the span. */
const OVERDUE_TURNS = 2;
/** With less of its time lost to stalls, the other side had most of it to answer while the loop listened. */
const MIN_STALLED_RATIO = 0.5;

/**
 * Says of a client's span that ends by a timeout if it may be the loop's fault: its deadline ran out inside a stall, so
 * that an answer may have stood unread. Timers are the first thing that runs after a stall, so a deadline that passed in
 * it fails the span right then, and one that was missed without the loop's doing fails it at any other time. Where the
 * kernel shows that no answer has come at all, it was the server's.
 *
 * @param turn the number of the loop's current turn
 */
export function writeTimeout(state: SpanState, at: number, turn: number, answers: UnreadAnswers): void {
  const { stalled, span } = state;
  if (!stalled || turn - stalled.turn > OVERDUE_TURNS || !span.isRecording()) return;
  const ratio = Math.min(1, stalled.ms / (at - state.startedAt));
  if (ratio < MIN_STALLED_RATIO) return;
  const rule = timeoutOf(span as ReadableSpan);
  if (!rule) return;
  // Later than that the sockets may have been read, and the late answer thrown away.
  const mayBeUnread = rule.keepsConnection && turn <= stalled.turn;
  const port = mayBeUnread ? portOf(span as ReadableSpan) : undefined;
  if (port !== undefined && answers.from(port, turn) === false) return;
  span.setAttributes({
    [semconv.ATTR_TIMEOUT_SUSPECT]: true,
    [semconv.ATTR_TIMEOUT_STALLED_RATIO]: ratio,
  });
}
