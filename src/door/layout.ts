/**
 * The memory that the loop and the watchdog's thread share for the door: every slot, its unit and who writes it. Messages
 * would come too late: the loop asks in the middle of a turn. Times are milliseconds on the monotonic clock (`clock.ts`).
 *
 * What is known of connections stands in two tables: the thread fills the one that is not in use, then counts `VERSION` up.
 */

/** Indexes into the `Int32Array` at offset 0. */
export const DoorInt = {
  /** 1 from when the thread finds the loop late until two seconds after it last was: requests are looked up. Thread. */
  OPEN: 0,
  /** Publications so far; the last bit is the number of the table in use. Thread. */
  VERSION: 1,
  /** How many of `listeners` are filled. Loop. */
  LISTENERS: 2,
  /**
   * The most at once in the stall that followed beat `DoorFloat.STALL_BEAT`: connections with unread bytes. This and the
   * next two are `UNKNOWN` until they have been counted. Thread.
   */
  UNREAD: 3,
  /** The same of connections that nobody had accepted. Thread. */
  ACCEPT_QUEUE: 4,
  /** How many the kernel turned away in that stall, at whatever listener of this network namespace. Thread. */
  LISTEN_OVERFLOWS: 5,
  /** Whole readings of the sockets, in all. Thread. */
  READINGS: 6,
  /** Connections that found no room in a table, in all. Thread. */
  DROPPED: 7,
  /**
   * 1 if another process accepts our connections and deals them out, as cluster's primary does: then they may have stood
   * there while our loop had nothing to do. Loop.
   */
  DEALT: 8,
} as const;

/** A count that has not been taken. */
export const UNKNOWN = -1;

/** Indexes into the `Float64Array` behind it. */
export const DoorFloat = {
  /** The beat before the stall that `DoorInt.UNREAD`, `.ACCEPT_QUEUE` and `.LISTEN_OVERFLOWS` are of. Thread. */
  STALL_BEAT: 0,
  /** When the thread last found the loop late. Thread. */
  LAST_LATE: 1,
  /** How long the thread has read at the door, in all. Thread. */
  READING_MS: 2,
} as const;

/** Indexes into one connection's record of a table. */
export const Field = {
  /** It had unread bytes at some moment from `SEEN_FROM` to `SEEN_BY`: the earliest reading that saw it. */
  SEEN_FROM: 0,
  SEEN_BY: 1,
  /** It had none at this moment; 0 where that is not known. */
  ANCHOR: 2,
  /** By when its unread bytes had last become more, and how many they were then. */
  GREW_BY: 3,
  BYTES: 4,
} as const;

/** Most listeners that are told apart; of more, connections are not known. */
export const MAX_LISTENERS = 64;
/** Slots of a table: a power of two, for they are found by hash. Half of them are filled at most. */
export const TABLE_SLOTS = 16_384;
export const RECORD_FIELDS = 5;
/** Pairs of slots for when a connection was last read: see `ConnectionEnds`. */
export const END_PAIRS = 8192;

export interface DoorTable {
  /** The connection's key, by hash; 0 where the slot is free. */
  readonly keys: Uint32Array;
  readonly records: Float64Array;
}

export interface DoorMemory {
  readonly buffer: SharedArrayBuffer;
  readonly int: Int32Array;
  readonly float: Float64Array;
  /** Port, and `IPV6_LISTENER` where it is one. Loop. */
  readonly listeners: Int32Array;
  /** Thread. */
  readonly tables: readonly [DoorTable, DoorTable];
  /** Loop. */
  readonly endKeys: Uint32Array;
  readonly endTimes: Float64Array;
}

/** Added to the port of a listener whose connections stand in the table of IPv6. */
export const IPV6_LISTENER = 0x10000;

const INT_BYTES = 64;
const FLOAT_BYTES = 64;

/** The views over a buffer; a new buffer where none is given. Pages that nobody writes to take no memory. */
export function doorMemory(buffer?: SharedArrayBuffer): DoorMemory {
  let size = 0;
  const place = (bytes: number): number => {
    const offset = size;
    size += bytes;
    return offset;
  };
  const int = place(INT_BYTES);
  const float = place(FLOAT_BYTES);
  const listeners = place(MAX_LISTENERS * 4);
  const records = [0, 1].map(() => place(TABLE_SLOTS * RECORD_FIELDS * 8));
  const endTimes = place(END_PAIRS * 2 * 8);
  const keys = [0, 1].map(() => place(TABLE_SLOTS * 4));
  const endKeys = place(END_PAIRS * 2 * 4);

  const shared = buffer ?? new SharedArrayBuffer(size);
  const table = (i: 0 | 1): DoorTable => ({
    keys: new Uint32Array(shared, keys[i], TABLE_SLOTS),
    records: new Float64Array(shared, records[i], TABLE_SLOTS * RECORD_FIELDS),
  });
  return {
    buffer: shared,
    int: new Int32Array(shared, int, INT_BYTES / 4),
    float: new Float64Array(shared, float, FLOAT_BYTES / 8),
    listeners: new Int32Array(shared, listeners, MAX_LISTENERS),
    tables: [table(0), table(1)],
    endKeys: new Uint32Array(shared, endKeys, END_PAIRS * 2),
    endTimes: new Float64Array(shared, endTimes, END_PAIRS * 2),
  };
}
