import {
  changesOf,
  depthOf,
  RING_SHOWN,
  RING_SLOTS,
  SNAPSHOT_BYTES,
  SPAN_ID_AT,
  SPAN_SLOTS,
  SPAN_WORDS,
  StampFloat,
  StampInt,
  sectionOf,
  spanOf,
  spanText,
  spanView,
  stampViews,
  TRACE_ID_AT,
  textView,
} from './stamp-layout.ts';

export interface SpanIds {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
}

interface Stamp {
  /** The section's number. */
  readonly section: number;
  readonly span: SpanIds | undefined;
}

/** A section in progress. */
export interface OpenStamp extends Stamp {
  readonly start: number;
}

/** A section that has finished: so many runs of it in a row. */
export interface FinishedStamp extends Stamp {
  readonly end: number;
  readonly ms: number;
  readonly runs: number;
}

export interface Stamps {
  /** Outermost first. */
  readonly open: readonly OpenStamp[];
  /** Latest first. */
  readonly finished: readonly FinishedStamp[];
}

/** What the last sample saw. */
export interface SampleStamp {
  readonly at: number;
  readonly span: SpanIds | undefined;
  /** Empty where the stack told nothing. */
  readonly functionName: string;
  readonly file: string;
  readonly line: number;
  readonly stack: string;
}

/** Copies are tried so often: a loop that enters and leaves sections all the time is between two only sometimes. */
const TRIES = 200;

/** Reads, in the thread, what the loop stamped. */
export class StampReader {
  readonly #shared: Uint8Array;
  readonly #sharedInt: Int32Array;
  readonly #sharedFloat: Float64Array;
  readonly #spans: Int32Array;
  readonly #spanText: Buffer;
  readonly #text: Buffer;
  readonly #copy = new Uint8Array(SNAPSHOT_BYTES);
  readonly #int: Int32Array;
  readonly #float: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#shared = new Uint8Array(buffer, 0, SNAPSHOT_BYTES);
    const shared = stampViews(buffer);
    this.#sharedInt = shared.int;
    this.#sharedFloat = shared.float;
    this.#spans = spanView(buffer);
    this.#spanText = spanText(buffer);
    const text = textView(buffer);
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.length);
    const copy = stampViews(this.#copy.buffer);
    this.#int = copy.int;
    this.#float = copy.float;
  }

  /** What is in progress and what came before; never a mixture of two moments. */
  read(): Stamps {
    const whole = this.#copyWhole();
    const depth = whole === 'all' ? depthOf(this.#int[StampInt.VERSION]!) : 0;
    const open: OpenStamp[] = [];
    for (let i = 0; i < depth; i++) {
      open.push({ ...this.#resolve(this.#int[StampInt.OPEN + i]!), start: this.#float[StampFloat.START + i]! });
    }
    const finished: FinishedStamp[] = [];
    const count = whole === 'none' ? 0 : this.#int[StampInt.FINISHED]!;
    for (let i = count - 1; i >= 0 && i >= count - RING_SHOWN; i--) {
      const slot = i & (RING_SLOTS - 1);
      finished.push({
        ...this.#resolve(this.#int[StampInt.RING + slot]!),
        end: this.#float[StampFloat.RING_END + slot]!,
        ms: this.#float[StampFloat.RING_MS + slot]!,
        runs: this.#int[StampInt.RING_RUNS + slot]!,
      });
    }
    return { open, finished };
  }

  /** The last sample; `undefined` before the first one. */
  sample(): SampleStamp | undefined {
    const int = this.#sharedInt;
    for (let i = 0; i < TRIES; i++) {
      const version = Atomics.load(int, StampInt.SAMPLE_VERSION);
      const at = this.#sharedFloat[StampFloat.SAMPLE_AT]!;
      const span = int[StampInt.SAMPLE_SPAN]!;
      const text = this.#text.toString('utf8', 0, int[StampInt.SAMPLE_LENGTH]!);
      if (Atomics.add(int, StampInt.SAMPLE_VERSION, 0) !== version || version % 2 !== 0) continue;
      if (version === 0) return undefined;
      const [functionName = '', file = '', line = '', ...stack] = text.split('\n');
      return { at, span: this.#span(span), functionName, file, line: Number(line), stack: stack.join('\n') };
    }
    return undefined;
  }

  /**
   * Copies what is read as a whole, and says what of it is so. A loop that runs one short section after the other may
   * never leave the time for a copy; the ring survives that, unless it was written all around meanwhile.
   */
  #copyWhole(): 'all' | 'ring' | 'none' {
    let changes = 0;
    for (let i = 0; i < TRIES; i++) {
      const version = Atomics.load(this.#sharedInt, StampInt.VERSION);
      this.#copy.set(this.#shared);
      // An addition of nothing, not a load: it can't be moved before the copy's reads.
      changes = changesOf(Atomics.add(this.#sharedInt, StampInt.VERSION, 0)) - changesOf(version);
      if (changes === 0) {
        this.#int[StampInt.VERSION] = version;
        return 'all';
      }
    }
    return changes >= 0 && changes < RING_SLOTS - RING_SHOWN ? 'ring' : 'none';
  }

  #resolve(stamp: number): Stamp {
    return { section: sectionOf(stamp), span: this.#span(spanOf(stamp)) };
  }

  /** The ids of a span; `undefined` for none, and where its slot is another one's by now. */
  #span(end: number): SpanIds | undefined {
    if (end === 0) return undefined;
    const at = (end & (SPAN_SLOTS - 1)) * SPAN_WORDS;
    const number = Atomics.load(this.#spans, at);
    if (spanOf(number) !== end) return undefined;
    const traceFlags = this.#spans[at + 1]!;
    const ids = at * 4 + TRACE_ID_AT;
    const traceId = this.#spanText.toString('latin1', ids, ids + 32);
    const spanId = this.#spanText.toString('latin1', at * 4 + SPAN_ID_AT, at * 4 + SPAN_ID_AT + 16);
    return Atomics.add(this.#spans, at, 0) === number ? { traceId, spanId, traceFlags } : undefined;
  }
}
