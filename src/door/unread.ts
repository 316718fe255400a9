import type { ConnectionEnds } from './ends.ts';
import { DoorInt, type DoorMemory, Field, RECORD_FIELDS, TABLE_SLOTS } from './layout.ts';

/** What is known of one connection with unread bytes. Times in ms on the monotonic clock. */
export interface Unread {
  /** It had them at some moment between these two. */
  readonly seenFrom: number;
  readonly seenBy: number;
  /** It had none then; 0 where that is not known. */
  readonly anchor: number;
  /** By when they had last become more, and how many they were then. */
  readonly grewBy: number;
  readonly bytes: number;
}

/** A reading of a piece of the kernel's table: each row in it was so at some moment of it. */
export interface Moment {
  readonly from: number;
  readonly by: number;
}

/** When the loop had last read all there was, as far as its beats tell; 0 where that is not known. */
export interface LastRead {
  /** Of connections that it has accepted. */
  readonly accepted: number;
  /** Of others too: it takes in one a turn, so others may be left over. */
  readonly all: number;
}

/** How far a key may stand from its place in a table. */
const MAX_PROBES = 32;
const MAX_CONNECTIONS = TABLE_SLOTS / 2;

/** The thread's side: dates the unread connections of one reading after another, and publishes them. */
export class UnreadConnections {
  readonly #memory: DoorMemory;
  readonly #ends: ConnectionEnds;
  #known = new Map<number, Unread>();
  #reading = new Map<number, Unread>();
  /** What the last reading did not see had not come by then; 0 where there was none, or it was not whole. */
  #absentBy = 0;
  #began = 0;
  #lastRead: LastRead = { accepted: 0, all: 0 };
  #unread = 0;
  #dropped = 0;

  constructor(memory: DoorMemory, ends: ConnectionEnds) {
    this.#memory = memory;
    this.#ends = ends;
  }

  /** A reading begins. */
  begin(at: number, lastRead: LastRead): void {
    this.#reading = new Map();
    this.#began = at;
    this.#lastRead = lastRead;
    this.#unread = this.#dropped = 0;
  }

  see(key: number, bytes: number, isAccepted: boolean, moment: Moment): void {
    this.#unread++;
    if (this.#reading.size >= MAX_CONNECTIONS) {
      this.#dropped++;
      return;
    }
    this.#reading.set(key, this.#dated(key, bytes, isAccepted, moment));
  }

  /** The reading is whole: what it did not see is not unread any more. Returns how many connections were. */
  end(): number {
    this.#known = this.#reading;
    this.#absentBy = this.#dropped > 0 ? 0 : this.#began;
    this.#publish();
    return this.#unread;
  }

  /** Nothing at all has come since the last reading began. */
  nothingNewBy(at: number): void {
    if (this.#absentBy > 0) this.#absentBy = at;
  }

  /** Forgets everything: it is too old to be of use. */
  clear(): void {
    this.#absentBy = 0;
    if (this.#known.size === 0) return;
    this.#known = new Map();
    this.#publish();
  }

  #dated(key: number, bytes: number, isAccepted: boolean, { from, by }: Moment): Unread {
    const known = this.#known.get(key);
    const end = this.#ends.of(key);
    if (known && known.seenFrom > end.at) {
      return bytes > known.bytes ? { ...known, grewBy: by, bytes } : { ...known, bytes };
    }
    // What was seen before has been read since, or may have been: these are other bytes.
    const { accepted, all } = this.#lastRead;
    const lastRead = Math.max(this.#absentBy, isAccepted ? accepted : all);
    const anchor = end.isOwn ? Math.max(lastRead, end.at) : (known?.anchor ?? lastRead);
    return { seenFrom: from, seenBy: by, anchor, grewBy: by, bytes };
  }

  #publish(): void {
    const { int, tables } = this.#memory;
    const version = int[DoorInt.VERSION]! + 1;
    const { keys, records } = tables[(version & 1) as 0 | 1];
    keys.fill(0);
    let dropped = this.#dropped;
    for (const [key, unread] of this.#known) {
      const slot = freeSlot(keys, key);
      if (slot < 0) {
        dropped++;
        continue;
      }
      const at = slot * RECORD_FIELDS;
      records[at + Field.SEEN_FROM] = unread.seenFrom;
      records[at + Field.SEEN_BY] = unread.seenBy;
      records[at + Field.ANCHOR] = unread.anchor;
      records[at + Field.GREW_BY] = unread.grewBy;
      records[at + Field.BYTES] = unread.bytes;
      keys[slot] = key;
    }
    int[DoorInt.DROPPED] = int[DoorInt.DROPPED]! + dropped;
    Atomics.store(int, DoorInt.VERSION, version);
  }
}

/** The loop's side: what the last reading tells of a connection. */
export function findUnread({ int, tables }: Pick<DoorMemory, 'int' | 'tables'>, key: number): Unread | undefined {
  for (;;) {
    const version = Atomics.load(int, DoorInt.VERSION);
    const { keys, records } = tables[(version & 1) as 0 | 1];
    const slot = slotOf(keys, key);
    const at = slot * RECORD_FIELDS;
    const found =
      slot < 0
        ? undefined
        : {
            seenFrom: records[at + Field.SEEN_FROM]!,
            seenBy: records[at + Field.SEEN_BY]!,
            anchor: records[at + Field.ANCHOR]!,
            grewBy: records[at + Field.GREW_BY]!,
            bytes: records[at + Field.BYTES]!,
          };
    // The loop may have lost its CPU meanwhile, and the thread be filling this very table by now.
    if (Atomics.load(int, DoorInt.VERSION) === version) return found;
  }
}

function freeSlot(keys: Uint32Array, key: number): number {
  for (let i = 0; i < MAX_PROBES; i++) {
    const slot = (key + i) & (TABLE_SLOTS - 1);
    if (keys[slot] === 0) return slot;
  }
  return -1;
}

function slotOf(keys: Uint32Array, key: number): number {
  for (let i = 0; i < MAX_PROBES; i++) {
    const slot = (key + i) & (TABLE_SLOTS - 1);
    if (keys[slot] === key) return slot;
    if (keys[slot] === 0) return -1;
  }
  return -1;
}
