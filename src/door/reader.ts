import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { now } from '../clock.ts';
import { ConnectionEnds } from './ends.ts';
import { DoorFloat, DoorInt, type DoorMemory, UNKNOWN } from './layout.ts';
import { portsOf } from './listeners.ts';
import { ReadingPace } from './pace.ts';
import { counterOf, type Family, type RowHandler, readRows } from './rows.ts';
import { type LastRead, UnreadConnections } from './unread.ts';

/** What is known of them after so long is of no use. */
const FORGET_MS = 2000;
/**
 * A glance costs 0.1 to 0.4 ms: how many stand before the listeners, which are at the beginning of the table, and whether
 * anything has come at all. Where nothing has, the whole table tells nothing new.
 */
const GLANCE_EVERY_MS = 40;
const GLANCE_LATER_EVERY_MS = 100;
const GLANCES_DENSE_FOR_MS = 1000;
const OVERFLOWS_EVERY_MS = 100;
/** A reading is done in steps, so that samples can be taken in between. */
const STEP_MS = 2;
const STEP_PAUSE_MS = 0.5;
/** A reading that was begun in one stall is ended in the next one, where that comes so soon. */
const KEEP_READING_MS = 100;
/** The kernel gives a page at a time. */
const PIECE_BYTES = 64 * 1024;
const GLANCE_BYTES = 16 * 1024;
const MAX_LISTENER_PIECES = 8;
const FAMILIES: readonly Family[] = [4, 6];
const NOT_KNOWN: LastRead = { accepted: 0, all: 0 };

/** The loop's state at a look that found it late. Times in ms on the monotonic clock. */
export interface LateLoop {
  /** The end of its last turn. */
  readonly beat: number;
  readonly lastRead: LastRead;
  /** For how long it has been stuck, at least. */
  readonly stuckMs: number;
  /** Whether it waits in the kernel: then it is not this thread that takes CPU time from it. */
  readonly isAsleep: boolean;
}

/** A table in the middle of being read. */
interface Reading {
  readonly families: Family[];
  readonly handler: RowHandler;
  position: number;
  /** Bytes of an incomplete row at the beginning of the buffer. */
  carried: number;
  tookMs: number;
}

/**
 * Looks at the door while the loop is stuck, and only then: who stands there with unread bytes, and how many stand before
 * it. Runs in the watchdog's thread.
 */
export class DoorReader {
  readonly #memory: DoorMemory;
  readonly #thresholdMs: number;
  readonly #connections: UnreadConnections;
  readonly #tables: Record<Family, NetFile>;
  /** A reading in steps keeps its place, so listeners are read by descriptors of their own. */
  readonly #listeners: Record<Family, NetFile>;
  readonly #netstat: NetFile;
  readonly #snmp: NetFile;
  readonly #buffer = new Uint8Array(PIECE_BYTES);
  /** For what is read between two steps of a reading, which keeps the beginning of a row in its buffer. */
  readonly #glanceBuffer = new Uint8Array(GLANCE_BYTES);
  readonly #pace = new ReadingPace(availableParallelism() < 2);

  #isReadable = true;
  #stallSince = 0;
  #isStallOpen = false;
  #reading: Reading | undefined;
  #moment = { from: 0, by: 0 };
  #nextGlance = 0;
  /** Segments that had come when the last reading began; `undefined`: there was none, or it is not told. */
  #segments: number | undefined;
  /** Whether the whole table would tell something new. */
  #wantsReading = true;
  #lastUnread: number | undefined;
  #nextReading = 0;
  #nextOverflows = 0;
  #overflowsAtStart: number | undefined;

  /** @param folder where the kernel's tables are */
  constructor(memory: DoorMemory, thresholdMs: number, folder = '/proc/self/net') {
    this.#memory = memory;
    this.#thresholdMs = thresholdMs;
    this.#connections = new UnreadConnections(memory, new ConnectionEnds(memory));
    const pair = (): Record<Family, NetFile> => ({
      4: new NetFile(`${folder}/tcp`),
      6: new NetFile(`${folder}/tcp6`),
    });
    this.#tables = pair();
    this.#listeners = pair();
    this.#netstat = new NetFile(`${folder}/netstat`);
    this.#snmp = new NetFile(`${folder}/snmp`);
  }

  /** The loop is stuck: does what is due, and returns in how many milliseconds there is more to do. */
  late(at: number, loop: LateLoop): number {
    if (loop.stuckMs < this.#thresholdMs) return this.#thresholdMs - loop.stuckMs;
    const { int, float } = this.#memory;
    float[DoorFloat.LAST_LATE] = at;
    if (int[DoorInt.OPEN] === 0) Atomics.store(int, DoorInt.OPEN, 1);
    if (float[DoorFloat.STALL_BEAT] !== loop.beat) this.#beginStall(at, loop.beat);
    if (!this.#isReadable || Atomics.load(int, DoorInt.LISTENERS) === 0) return Number.POSITIVE_INFINITY;

    const started = now();
    this.#guard(() => {
      if (at >= this.#nextGlance) this.#glance(at);
      if (this.#reading) this.#step(this.#reading, loop);
      else if (this.#wantsReading && at >= this.#nextReading) this.#beginReading(loop);
    });
    const ended = now();
    float[DoorFloat.READING_MS] = float[DoorFloat.READING_MS]! + ended - started;
    if (!this.#isReadable) return Number.POSITIVE_INFINITY;
    if (this.#reading) return STEP_PAUSE_MS;
    const next = this.#wantsReading ? Math.min(this.#nextGlance, this.#nextReading) : this.#nextGlance;
    return Math.max(STEP_PAUSE_MS, next - ended);
  }

  /** The loop is not stuck. */
  rest(at: number): void {
    const { int, float } = this.#memory;
    if (int[DoorInt.OPEN] === 0) return;
    if (this.#isStallOpen) {
      this.#isStallOpen = false;
      if (int[DoorInt.ACCEPT_QUEUE]! > 0) this.#guard(() => this.#readOverflows());
    }
    const restedMs = at - float[DoorFloat.LAST_LATE]!;
    if (this.#reading && restedMs > KEEP_READING_MS) {
      this.#reading = undefined;
      this.#segments = undefined;
    }
    if (restedMs < FORGET_MS) return;
    this.#connections.clear();
    this.#segments = undefined;
    Atomics.store(int, DoorInt.OPEN, 0);
  }

  close(): void {
    const files = [...Object.values(this.#tables), ...Object.values(this.#listeners), this.#netstat, this.#snmp];
    for (const file of files) file.close();
  }

  /** Another system, hidden /proc, or no permission: what a turn of the loop shows is left. */
  #guard(read: () => void): void {
    try {
      read();
    } catch {
      this.#isReadable = false;
      this.#reading = undefined;
    }
  }

  #beginStall(at: number, beat: number): void {
    const { int, float } = this.#memory;
    int[DoorInt.UNREAD] = int[DoorInt.ACCEPT_QUEUE] = int[DoorInt.LISTEN_OVERFLOWS] = UNKNOWN;
    float[DoorFloat.STALL_BEAT] = beat;
    this.#stallSince = at;
    this.#isStallOpen = true;
    this.#nextGlance = at;
    this.#overflowsAtStart = undefined;
  }

  #glance(at: number): void {
    const { int } = this.#memory;
    const queue = this.#acceptQueue();
    if (queue > int[DoorInt.ACCEPT_QUEUE]!) int[DoorInt.ACCEPT_QUEUE] = queue;
    // A queue that is full is the only way to an overflow, so one that is empty needs no second look.
    if (this.#overflowsAtStart === undefined || (queue > 0 && at >= this.#nextOverflows)) {
      this.#nextOverflows = at + OVERFLOWS_EVERY_MS;
      this.#readOverflows();
    }
    const before = now();
    this.#wantsReading = this.#segments === undefined || this.#readSegments() !== this.#segments;
    if (!this.#wantsReading && !this.#reading) {
      this.#connections.nothingNewBy(before);
      if (this.#lastUnread === 0) this.#count(0);
      // How many of them are left from another stall is not known.
      else if (int[DoorInt.UNREAD] === UNKNOWN) this.#wantsReading = true;
    }
    const isDense = at - this.#stallSince < GLANCES_DENSE_FOR_MS;
    this.#nextGlance = at + (isDense ? GLANCE_EVERY_MS : GLANCE_LATER_EVERY_MS);
  }

  /** So many are unread at this moment. */
  #count(unread: number): void {
    const { int } = this.#memory;
    if (unread > int[DoorInt.UNREAD]!) int[DoorInt.UNREAD] = unread;
  }

  #acceptQueue(): number {
    let queue = 0;
    for (const family of FAMILIES) {
      const ports = portsOf(this.#memory, family);
      if (ports.size === 0) continue;
      const handler: RowHandler = {
        isOurs: (port) => ports.has(port),
        listener: (length) => {
          queue += length;
        },
        unread: () => {},
      };
      let position = 0;
      for (let piece = 0; piece < MAX_LISTENER_PIECES; piece++) {
        const length = this.#listeners[family].read(this.#glanceBuffer, 0, position);
        const read = readRows(this.#glanceBuffer, length, family, handler);
        position += read.length;
        if (read.length === 0 || read.isPastListeners) break;
      }
    }
    return queue;
  }

  /** TCP segments that have come in this network namespace, in all; `undefined` where that is not told. */
  #readSegments(): number | undefined {
    return this.#counter(this.#snmp, 'Tcp', 'InSegs');
  }

  #counter(file: NetFile, table: string, name: string): number | undefined {
    try {
      const length = file.read(this.#glanceBuffer, 0, 0);
      return counterOf(Buffer.from(this.#glanceBuffer.buffer, 0, length).toString('latin1'), table, name);
    } catch {
      return undefined;
    }
  }

  #readOverflows(): void {
    const overflows = this.#counter(this.#netstat, 'TcpExt', 'ListenOverflows');
    if (overflows === undefined) return;
    this.#overflowsAtStart ??= overflows;
    this.#memory.int[DoorInt.LISTEN_OVERFLOWS] = overflows - this.#overflowsAtStart;
  }

  #beginReading(loop: LateLoop): void {
    const ports = { 4: portsOf(this.#memory, 4), 6: portsOf(this.#memory, 6) };
    const families = FAMILIES.filter((family) => ports[family].size > 0);
    const reading: Reading = {
      families,
      handler: {
        isOurs: (port) => ports[families[0]!].has(port),
        listener: () => {},
        unread: (key, bytes, isAccepted) => this.#connections.see(key, bytes, isAccepted, { ...this.#moment }),
      },
      position: 0,
      carried: 0,
      tookMs: 0,
    };
    this.#reading = reading;
    // Before it: what comes during the reading may be missed by it.
    this.#segments = this.#readSegments();
    this.#wantsReading = false;
    this.#connections.begin(now(), this.#memory.int[DoorInt.DEALT] === 1 ? NOT_KNOWN : loop.lastRead);
    this.#step(reading, loop);
  }

  #step(reading: Reading, loop: LateLoop): void {
    const started = now();
    const moment = this.#moment;
    for (;;) {
      const family = reading.families[0];
      moment.from = now();
      if (family === undefined || moment.from - started > STEP_MS) break;
      const count = this.#tables[family].read(this.#buffer, reading.carried, reading.position);
      moment.by = now();
      if (count === 0) {
        reading.families.shift();
        reading.position = reading.carried = 0;
        continue;
      }
      const length = reading.carried + count;
      const read = readRows(this.#buffer, length, family, reading.handler);
      this.#buffer.copyWithin(0, read.length, length);
      reading.carried = length - read.length;
      reading.position += count;
    }
    reading.tookMs += now() - started;
    if (reading.families.length === 0) this.#endReading(reading, loop);
  }

  #endReading(reading: Reading, loop: LateLoop): void {
    const { int } = this.#memory;
    this.#reading = undefined;
    this.#lastUnread = this.#connections.end();
    this.#count(this.#lastUnread);
    int[DoorInt.READINGS] = int[DoorInt.READINGS]! + 1;
    const at = now();
    const stalledMs = at - this.#stallSince;
    this.#nextReading = at + this.#pace.pauseMs({ at, tookMs: reading.tookMs, stalledMs, isAsleep: loop.isAsleep });
  }
}

/** One of the kernel's files. */
class NetFile {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
    try {
      // at once: a stuck server may have run out of descriptors
      this.#fd = openSync(path, 'r');
    } catch {
      // tried again, and told, when it is read
    }
  }

  /** Reads into the buffer from `offset` on; returns how many bytes. Throws where the file can't be read. */
  read(buffer: Uint8Array, offset: number, position: number): number {
    this.#fd ??= openSync(this.#path, 'r');
    return readSync(this.#fd, buffer, offset, buffer.length - offset, position);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
