/**
 * The memory in which the loop says what it is doing, for the thread to read while the loop is stuck: sections in
 * progress, the last that finished, whose they are, and what the last sample saw. Only the loop writes it; both threads
 * import this file. Times are milliseconds on the monotonic clock (`clock.ts`).
 *
 * The first part is read as a whole. Each entry and exit of a section writes first and changes `VERSION` last, and what it
 * writes is not in sight before that: a section deeper than the depth, a ring slot beyond the last 16. So a copy that was
 * made while the version stayed the same is whole.
 */

/** Sections nested deeper than this are not timed, nor stamped. */
export const MAX_DEPTH = 64;
/** Of these the last 16 are shown: the others may be in the midst of being written. */
export const RING_SLOTS = 32;
export const RING_SHOWN = 16;

/** Indexes into the `Int32Array` at offset 0. */
export const StampInt = {
  /** How many sections were entered and left, and how deep the loop is in sections: see {@link versionOf}. */
  VERSION: 0,
  /** How many runs were written to the ring. */
  FINISHED: 1,
  /** Odd while the sample is being written. */
  SAMPLE_VERSION: 2,
  /** The span of the last sample: its number, as in a stamp; 0 for none. */
  SAMPLE_SPAN: 3,
  /** Length of the sample's text in bytes. */
  SAMPLE_LENGTH: 4,
  /** By depth: the section in progress, see {@link stampOf}. */
  OPEN: 8,
  /** By slot of the ring: the section that finished, and how many runs of it in a row. */
  RING: 8 + MAX_DEPTH,
  RING_RUNS: 8 + MAX_DEPTH + RING_SLOTS,
} as const;
const INTS = 8 + MAX_DEPTH + 2 * RING_SLOTS;

/** Indexes into the `Float64Array` behind it. */
export const StampFloat = {
  /** By depth: when the section in progress began. */
  START: 0,
  /** By slot of the ring: when the last of its runs ended, and how long they took in all. */
  RING_END: MAX_DEPTH,
  RING_MS: MAX_DEPTH + RING_SLOTS,
  /** When the last sample was taken. */
  SAMPLE_AT: MAX_DEPTH + 2 * RING_SLOTS,
} as const;
const FLOATS = StampFloat.SAMPLE_AT + 1;

/** The part of the memory that is copied as a whole. */
export const SNAPSHOT_BYTES = INTS * 4 + FLOATS * 8;

/**
 * Spans by their number modulo the slots: a span takes a slot when it first has a section, and another one if its slot was
 * taken meanwhile, which no section in progress suffers. Few, so that they stay in the CPU's cache. Words of a slot: the
 * number (0 while it is being written), the trace flags, and the two ids as their text: written once a span, and read once
 * a stall.
 */
export const SPAN_SLOTS = 128;
export const SPAN_WORDS = 16;
/** Bytes from a slot's start to the trace id's 32 characters, and from there to the span id's 16. */
export const TRACE_ID_AT = 8;
export const SPAN_ID_AT = TRACE_ID_AT + 32;
const SPAN_BYTES = SPAN_SLOTS * SPAN_WORDS * 4;

/** The code that the last sample found: function, file and line, each on a line of its own, and the stack. */
const TEXT_BYTES = 4096;

export interface StampViews {
  readonly int: Int32Array;
  readonly float: Float64Array;
}

/** The views over the first part, be it the shared one or a copy. */
export function stampViews(buffer: ArrayBufferLike): StampViews {
  return { int: new Int32Array(buffer, 0, INTS), float: new Float64Array(buffer, INTS * 4, FLOATS) };
}

export const spanView = (buffer: ArrayBufferLike): Int32Array =>
  new Int32Array(buffer, SNAPSHOT_BYTES, SPAN_SLOTS * SPAN_WORDS);

/** The same memory, for the ids. */
export const spanText = (buffer: ArrayBufferLike): Buffer =>
  Buffer.from(buffer as ArrayBuffer, SNAPSHOT_BYTES, SPAN_BYTES);

export const textView = (buffer: ArrayBufferLike): Uint8Array =>
  new Uint8Array(buffer, SNAPSHOT_BYTES + SPAN_BYTES, TEXT_BYTES);

export const newStampBuffer = (): SharedArrayBuffer => new SharedArrayBuffer(SNAPSHOT_BYTES + SPAN_BYTES + TEXT_BYTES);

const SPAN_BITS = 20;
const SPAN_MASK = (1 << SPAN_BITS) - 1;
/** Sections that have a number of their own; later ones have none. */
export const MAX_SECTIONS = 1 << (32 - SPAN_BITS);

/** What is in progress in one word, which no reader can see half of: the section's number, and the end of its span's. */
export const stampOf = (section: number, span: number): number => (section << SPAN_BITS) | (span & SPAN_MASK);
export const sectionOf = (stamp: number): number => stamp >>> SPAN_BITS;
export const spanOf = (stamp: number): number => stamp & SPAN_MASK;

export const versionOf = (changes: number, depth: number): number => (changes << 7) | depth;
export const changesOf = (version: number): number => version >>> 7;
export const depthOf = (version: number): number => version & 127;
