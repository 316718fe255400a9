import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { SpanKind } from '@opentelemetry/api';
import { now, seconds } from '../clock.ts';
import { warnOnce } from '../log.ts';
import { SERVER } from '../otel-api.ts';
import { mayReadTables } from '../permission.ts';
import {
  ATTR_STALL_ACCEPT_QUEUE,
  ATTR_STALL_LISTEN_OVERFLOWS,
  ATTR_STALL_UNREAD,
  ATTR_STALLED_BEFORE_START,
  ATTR_STALLED_BEFORE_START_ERROR,
} from '../semconv.ts';
import type { SpanState } from '../spans/tracker.ts';
import { ConnectionEnds } from './ends.ts';
import { addressWords, connectionKey, NO_KEY } from './keys.ts';
import { DoorFloat, DoorInt, type DoorMemory, UNKNOWN } from './layout.ts';
import { Listeners } from './listeners.ts';
import { findUnread } from './unread.ts';
import { type Arrival, type Batch, batchOf, type DoorWait, waitInBatch, waitOf } from './wait.ts';

/** What the thread says is older, if it has not been late for so long: it has ended, or was held itself. */
const TOO_OLD_MS = 2500;
/**
 * Up to so many requests a turn, all of them had come when the turn began to read: libuv asks the kernel for 1,024 events
 * at once, and asks again in the same turn where it gets as many.
 */
const MAX_LAP_REQUESTS = 500;

/** Who stood at the door in one stall, as attributes of its event; what was not counted is not there. */
export type DoorCounts = Readonly<Record<string, number>>;

const COUNTS = [
  [DoorInt.UNREAD, ATTR_STALL_UNREAD],
  [DoorInt.ACCEPT_QUEUE, ATTR_STALL_ACCEPT_QUEUE],
  [DoorInt.LISTEN_OVERFLOWS, ATTR_STALL_LISTEN_OVERFLOWS],
] as const;

/** In milliseconds on the monotonic clock. */
export interface LoopTimes {
  /** When its last turn ended. */
  readonly beat: number;
  /** Until when it has slept last, before its current turn. */
  readonly sleptUntil: number;
}

interface RequestStart {
  readonly socket: Socket & { encrypted?: boolean };
  readonly server: HttpServer;
}
interface ResponseFinish {
  readonly request: IncomingMessage;
  readonly socket: Socket;
}

/** What is kept of a connection from when the door opens. */
interface Connection {
  key: number | undefined;
  /** By when all that it had sent was read, and how many bytes that were in all. */
  readBy: number;
  bytesRead: number;
  /** For the next requests, if they were in the same read as the last one. */
  batch: Batch | undefined;
  /** A response was finished before its request's body was read: what comes first is no request. */
  isBodyLeft: boolean;
}

/**
 * The loop's side of the door: tells a server span for how long its request had stood unread before the span began. A
 * stuck loop hides its own queue, since a span begins when the request is *read*. What stood there meanwhile the
 * watchdog's thread sees (`reader.ts`).
 */
export class Door {
  readonly #memory: DoorMemory;
  readonly #thresholdMs: number;
  readonly #loop: LoopTimes;
  readonly #listeners: Listeners;
  readonly #ends: ConnectionEnds;
  #connections = new WeakMap<Socket, Connection>();
  /** Connections over TLS whose first request has begun: what was unread before it was the handshake. */
  #shaken = new WeakSet<Socket>();
  #server: Server | undefined;
  #mayRead = false;

  // Of the current turn
  #lapBeat = -1;
  #lapStart = 0;
  #lapRequests = 0;
  #lastSocket: Socket | undefined;

  /** Of the request that begins in this very moment: its span has not begun yet. */
  #arriving: DoorWait | undefined;

  constructor(memory: DoorMemory, thresholdMs: number, loop: LoopTimes) {
    this.#memory = memory;
    this.#listeners = new Listeners(memory);
    this.#ends = new ConnectionEnds(memory);
    this.#thresholdMs = thresholdMs;
    this.#loop = loop;
  }

  start(): void {
    this.#mayRead = mayReadTables();
    if (!this.#mayRead) {
      warnOnce(
        'door',
        'who stands at the door is not seen: the permission model does not grant reading /proc/self/net',
      );
    }
    Atomics.store(this.#memory.int, DoorInt.OPEN, 0);
    subscribe('tracing:net.server.listen:asyncEnd', this.#onListening);
    subscribe('http.server.request.start', this.#onRequestStart);
    subscribe('http.server.response.finish', this.#onResponseFinish);
  }

  stop(): void {
    unsubscribe('tracing:net.server.listen:asyncEnd', this.#onListening);
    unsubscribe('http.server.request.start', this.#onRequestStart);
    unsubscribe('http.server.response.finish', this.#onResponseFinish);
    this.#listeners.clear();
    this.#server = this.#lastSocket = this.#arriving = undefined;
    this.#connections = new WeakMap();
    this.#shaken = new WeakSet();
  }

  /** A span has begun: if it is the one of the request that begins now, it is told. */
  onSpanStart({ span }: SpanState, kind: SpanKind): void {
    const wait = this.#arriving;
    if (!wait || kind !== SERVER) return;
    this.#arriving = undefined;
    if (!span.isRecording()) return;
    span.setAttribute(ATTR_STALLED_BEFORE_START, seconds(wait.minMs));
    if (wait.maxMs !== undefined) {
      span.setAttribute(ATTR_STALLED_BEFORE_START_ERROR, seconds(wait.maxMs - wait.minMs));
    }
  }

  /** Who stood at the door in the turn that follows `beat`; `undefined` where the thread has not looked. */
  ofStall(beat: number): DoorCounts | undefined {
    const { int, float } = this.#memory;
    if (float[DoorFloat.STALL_BEAT] !== beat) return undefined;
    return Object.fromEntries(
      COUNTS.flatMap(([slot, name]) => (int[slot] === UNKNOWN ? [] : [[name, int[slot]!] as const])),
    );
  }

  #onListening = (message: unknown): void => {
    this.#learn((message as { server: Server }).server);
  };

  /** The thread is no subject of the permission model: it reads what it is told of. */
  #learn(server: Server): void {
    if (this.#mayRead) this.#guard(() => this.#listeners.add(server));
  }

  /** Called for every request, before its span begins. */
  #onRequestStart = (message: unknown): void => {
    const { socket, server } = message as RequestStart;
    this.#arriving = undefined;
    const { beat } = this.#loop;
    if (beat !== this.#lapBeat) {
      this.#lapBeat = beat;
      this.#lapStart = now();
      this.#lapRequests = 0;
      this.#lastSocket = undefined;
    }
    this.#lapRequests++;
    const mayBeSameRead = socket === this.#lastSocket;
    this.#lastSocket = socket;
    if (this.#memory.int[DoorInt.OPEN] === 1) this.#guard(() => this.#arrive(socket, mayBeSameRead));
    if (socket.encrypted && !this.#shaken.has(socket)) this.#shaken.add(socket);
    // One that listened before us is known by its first request.
    if (server !== this.#server) {
      this.#server = server;
      this.#learn(server);
    }
  };

  #onResponseFinish = (message: unknown): void => {
    const { request, socket } = message as ResponseFinish;
    if (this.#memory.int[DoorInt.OPEN] === 0 && request.complete) return;
    this.#guard(() => {
      const connection = this.#connectionOf(socket);
      connection.isBodyLeft = !request.complete;
      // Nothing has been read since the request began: its end was read with it.
      if (socket.bytesRead !== connection.bytesRead) this.#noteRead(socket, connection, now());
    });
  };

  #arrive(socket: RequestStart['socket'], mayBeSameRead: boolean): void {
    const at = now();
    const known = this.#connections.get(socket);
    const connection = known ?? this.#connectionOf(socket);
    let wait: DoorWait | undefined;
    if (known && socket.bytesRead === known.bytesRead) {
      wait = known.batch && waitInBatch(at, known.batch);
    } else if (known || !mayBeSameRead) {
      const isFirstOfTls = socket.encrypted === true && !this.#shaken.has(socket);
      const arrival = isFirstOfTls ? undefined : this.#arrivalOf(socket, known, at);
      wait = arrival && waitOf(arrival, this.#thresholdMs);
      const readBytes = socket.bytesRead - (known?.bytesRead ?? 0);
      // of TLS, bytes are counted as they are after decryption
      connection.batch = arrival && !socket.encrypted ? batchOf(arrival, readBytes) : undefined;
    }
    connection.isBodyLeft = false;
    this.#noteRead(socket, connection, at);
    if (!wait) return;
    this.#arriving = wait;
    // A span that begins later, in whatever code, is not this request's.
    queueMicrotask(() => {
      if (this.#arriving === wait) this.#arriving = undefined;
    });
  }

  #arrivalOf(socket: Socket, known: Connection | undefined, at: number): Arrival {
    const key = this.#keyOf(socket, known ?? this.#connectionOf(socket));
    const isFresh = at - this.#memory.float[DoorFloat.LAST_LATE]! < TOO_OLD_MS;
    const readBefore = known ? known.readBy : this.#ends.of(key).at;
    const hadComeByLap =
      readBefore < this.#lapStart && this.#lapRequests <= MAX_LAP_REQUESTS && known?.isBodyLeft !== true;
    return {
      at,
      unread: key !== NO_KEY && isFresh && known?.isBodyLeft !== true ? findUnread(this.#memory, key) : undefined,
      readBefore,
      sleptUntil: known || this.#memory.int[DoorInt.DEALT] === 0 ? this.#loop.sleptUntil : 0,
      lapStart: hadComeByLap ? this.#lapStart : undefined,
    };
  }

  #connectionOf(socket: Socket): Connection {
    let connection = this.#connections.get(socket);
    if (!connection) {
      connection = { key: undefined, readBy: 0, bytesRead: 0, batch: undefined, isBodyLeft: false };
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  #noteRead(socket: Socket, connection: Connection, at: number): void {
    connection.readBy = at;
    connection.bytesRead = socket.bytesRead;
    const key = this.#keyOf(socket, connection);
    if (key !== NO_KEY) this.#ends.set(key, at);
  }

  /** Costs tens of microseconds the first time: Node asks the kernel for the addresses. */
  #keyOf(socket: Socket, connection: Connection): number {
    if (connection.key === undefined) {
      const { remoteAddress, remotePort, localPort } = socket;
      const words = remoteAddress === undefined ? undefined : addressWords(remoteAddress);
      connection.key = words ? connectionKey(words, remotePort ?? 0, localPort ?? 0) : NO_KEY;
    }
    return connection.key;
  }

  /** This runs in the application's own calls: nothing may reach it. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      warnOnce('door', 'who stands at the door is not seen', error);
    }
  }
}
