import type { SpanState } from '../spans/tracker.ts';
import type { Section } from './recorder.ts';
import {
  depthOf,
  MAX_SECTIONS,
  newStampBuffer,
  RING_SLOTS,
  SPAN_ID_AT,
  SPAN_SLOTS,
  SPAN_WORDS,
  StampFloat,
  StampInt,
  sectionOf,
  spanOf,
  spanView,
  stampOf,
  stampViews,
  TRACE_ID_AT,
  textView,
  versionOf,
} from './stamp-layout.ts';

/** What the thread knows a section's number by. */
export type SectionName = Pick<Section, 'name' | 'phase' | 'system' | 'expected'>;

/** Gets new names, from that number on, before the first stamp with one of them. */
export type OnNames = (names: readonly SectionName[], first: number) => void;

/** Sections of this thread by their number. Number 0 is that of none: whatever finds the table full. */
const sectionNames: SectionName[] = [{ name: 'unknown', phase: 'call', system: '' }];
const sectionNumbers = new Map<string, number>();
/** Numbers of spans are never used twice, whoever writes them. */
let lastSpan = 0;

function numberOf(section: Section): number {
  const { name, phase, system, expected } = section;
  const key = `${phase} ${name} ${expected ?? ''}`;
  let number = sectionNumbers.get(key);
  if (number === undefined) {
    number =
      sectionNames.length < MAX_SECTIONS
        ? sectionNames.push({ name, phase, system, ...(expected !== undefined && { expected }) }) - 1
        : 0;
    if (number !== 0) sectionNumbers.set(key, number);
  }
  section.number = number;
  return number;
}

/** Writes so many ASCII characters, four to a word: for a short text faster than a call that leaves JavaScript. */
function writeText(words: Int32Array, from: number, text: string, length: number): void {
  let at = from;
  for (let i = 0; i < length; i += 4) {
    words[at++] =
      text.charCodeAt(i) |
      (text.charCodeAt(i + 1) << 8) |
      (text.charCodeAt(i + 2) << 16) |
      (text.charCodeAt(i + 3) << 24);
  }
}

/**
 * Says in shared memory what the loop is doing (`stamp-layout.ts`). Called around every section: three plain writes and
 * one atomic one each time, and a span's ids once a span.
 */
export class StampWriter {
  readonly buffer: SharedArrayBuffer = newStampBuffer();
  readonly #onNames: OnNames;
  readonly #int: Int32Array;
  readonly #float: Float64Array;
  readonly #spans = spanView(this.buffer);
  readonly #text: Buffer;
  #changes = 0;
  #finished = 0;
  #namesTold = 0;

  constructor(onNames: OnNames) {
    this.#onNames = onNames;
    const { int, float } = stampViews(this.buffer);
    this.#int = int;
    this.#float = float;
    const text = textView(this.buffer);
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.length);
  }

  enter(depth: number, section: Section, owner: SpanState | undefined, start: number): void {
    const number = section.number ?? numberOf(section);
    if (number >= this.#namesTold) this.#tellNames();
    this.#int[StampInt.OPEN + depth] = stampOf(number, owner ? this.#numberOf(owner) : 0);
    this.#float[StampFloat.START + depth] = start;
    this.#publish(depth + 1);
  }

  /** The section in progress is this span's. */
  own(depth: number, owner: SpanState): void {
    const at = StampInt.OPEN + depth;
    this.#int[at] = stampOf(sectionOf(this.#int[at]!), this.#numberOf(owner));
  }

  exit(depth: number, end: number): void {
    const stamp = this.#int[StampInt.OPEN + depth]!;
    const start = this.#float[StampFloat.START + depth]!;
    const last = (this.#finished - 1) & (RING_SLOTS - 1);
    // Runs of one section in a row are told as one, or a loop of short calls would leave nothing else in the ring.
    if (this.#int[StampInt.RING + last] === stamp && this.#finished > 0) {
      this.#int[StampInt.RING_RUNS + last]!++;
      this.#float[StampFloat.RING_MS + last]! += end - start;
      this.#float[StampFloat.RING_END + last] = end;
    } else {
      const slot = this.#finished & (RING_SLOTS - 1);
      this.#int[StampInt.RING + slot] = stamp;
      this.#int[StampInt.RING_RUNS + slot] = 1;
      this.#float[StampFloat.RING_MS + slot] = end - start;
      this.#float[StampFloat.RING_END + slot] = end;
      // last: from now on it is in sight
      this.#int[StampInt.FINISHED] = ++this.#finished;
    }
    this.#publish(depth);
  }

  /** No section is in progress. */
  close(): void {
    this.#publish(0);
  }

  /** What a sample found: the span that certainly ran, and the code. */
  sample(at: number, owner: SpanState | undefined, text: string): void {
    const span = owner ? spanOf(this.#numberOf(owner)) : 0;
    Atomics.add(this.#int, StampInt.SAMPLE_VERSION, 1);
    this.#int[StampInt.SAMPLE_SPAN] = span;
    this.#int[StampInt.SAMPLE_LENGTH] = this.#text.write(text);
    this.#float[StampFloat.SAMPLE_AT] = at;
    Atomics.add(this.#int, StampInt.SAMPLE_VERSION, 1);
  }

  #publish(depth: number): void {
    this.#changes = (this.#changes + 1) | 0;
    Atomics.store(this.#int, StampInt.VERSION, versionOf(this.#changes, depth));
  }

  #tellNames(): void {
    const first = this.#namesTold;
    this.#namesTold = sectionNames.length;
    this.#onNames(sectionNames.slice(first), first);
  }

  /** The span's number, which is in its slot now. */
  #numberOf(owner: SpanState): number {
    const number = owner.number;
    if (number !== 0 && this.#spans[(number & (SPAN_SLOTS - 1)) * SPAN_WORDS] === number) return number;
    return this.#writeSpan(owner);
  }

  /** Whether the slot is that of a section in progress, whose span would be nobody. */
  #isInUse(number: number): boolean {
    const open = depthOf(this.#int[StampInt.VERSION]!);
    for (let depth = 0; depth < open; depth++) {
      const span = spanOf(this.#int[StampInt.OPEN + depth]!);
      if (span !== 0 && ((span ^ number) & (SPAN_SLOTS - 1)) === 0) return true;
    }
    return false;
  }

  #writeSpan(owner: SpanState): number {
    let context: { traceId: string; spanId: string; traceFlags: number };
    try {
      context = owner.span.spanContext();
    } catch {
      return 0;
    }
    do lastSpan = (lastSpan + 1) & 0x7fffffff;
    while (spanOf(lastSpan) === 0 || this.#isInUse(lastSpan));
    // A sample may write a span of its own in between.
    const number = lastSpan;
    const { traceId, spanId, traceFlags } = context;
    const spans = this.#spans;
    const at = (number & (SPAN_SLOTS - 1)) * SPAN_WORDS;
    Atomics.store(spans, at, 0);
    spans[at + 1] = traceFlags;
    writeText(spans, at + TRACE_ID_AT / 4, traceId, 32);
    writeText(spans, at + SPAN_ID_AT / 4, spanId, 16);
    Atomics.store(spans, at, number);
    owner.number = number;
    return number;
  }
}
