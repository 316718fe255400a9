import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Span } from '@opentelemetry/api';
import { buildSync } from 'esbuild';
import { type Section, SectionRecorder } from '../../../src/sections/recorder.ts';
import { MAX_DEPTH, RING_SHOWN, SPAN_SLOTS } from '../../../src/sections/stamp-layout.ts';
import { type SpanIds, StampReader } from '../../../src/sections/stamp-reader.ts';
import { type SectionName, StampWriter } from '../../../src/sections/stamps.ts';
import { SpanState, SpanTracker } from '../../../src/spans/tracker.ts';

const section = (name: string): Section => ({ name, phase: 'call', system: 'test', slow: false });

let spans = 0;
function span(): { state: SpanState; ids: SpanIds } {
  const hex = (++spans).toString(16);
  const ids = { traceId: hex.padStart(32, 'c'), spanId: hex.padStart(16, 'd'), traceFlags: 1 };
  const live = { spanContext: () => ids, isRecording: () => false } as unknown as Span;
  return { state: new SpanState(live, undefined, 0, true), ids };
}

function pair(): { writer: StampWriter; reader: StampReader; name: (number: number) => string | undefined } {
  const names: SectionName[] = [];
  const writer = new StampWriter((list, first) => names.splice(first, list.length, ...list));
  return { writer, reader: new StampReader(writer.buffer), name: (number) => names[number]?.name };
}

test('sections in progress are read with their spans, and in the ring when they have finished', () => {
  const { writer, reader, name } = pair();
  const [a, b] = [span(), span()];
  writer.enter(0, section('outer'), a.state, 10);
  writer.enter(1, section('inner'), b.state, 11);
  writer.enter(2, section('nobody'), undefined, 12);
  const { open, finished } = reader.read();
  assert.deepEqual(
    open.map((stamp) => ({ name: name(stamp.section), span: stamp.span, start: stamp.start })),
    [
      { name: 'outer', span: a.ids, start: 10 },
      { name: 'inner', span: b.ids, start: 11 },
      { name: 'nobody', span: undefined, start: 12 },
    ],
  );
  assert.deepEqual(finished, []);

  writer.exit(2, 13);
  writer.exit(1, 15);
  writer.exit(0, 20);
  const after = reader.read();
  assert.deepEqual(after.open, []);
  assert.deepEqual(
    after.finished.map((stamp) => [name(stamp.section), stamp.span, stamp.end, stamp.ms, stamp.runs]),
    [
      ['outer', a.ids, 20, 10, 1],
      ['inner', b.ids, 15, 4, 1],
      ['nobody', undefined, 13, 1, 1],
    ],
  );
});

test('the ring shows the last 16, and runs of one section in a row as one', () => {
  const { writer, reader, name } = pair();
  const { state } = span();
  for (let i = 0; i < 100; i++) {
    writer.enter(0, section(`s${i}`), state, i);
    writer.exit(0, i + 0.5);
  }
  for (let i = 100; i < 150; i++) {
    writer.enter(0, section('often'), state, i);
    writer.exit(0, i + 0.5);
  }
  const { finished } = reader.read();
  assert.equal(finished.length, RING_SHOWN);
  const [last, before] = finished;
  assert.deepEqual([name(last!.section), last!.runs, last!.ms, last!.end], ['often', 50, 25, 149.5]);
  assert.deepEqual(
    finished.slice(1).map((stamp) => name(stamp.section)),
    Array.from({ length: 15 }, (_, i) => `s${99 - i}`),
  );
  assert.equal(before!.end, 99.5);
});

test('the span of a section in progress is known however many come after it', () => {
  const { writer, reader } = pair();
  const early = span();
  writer.enter(0, section('long'), early.state, 0);
  for (let i = 0; i < 2 * SPAN_SLOTS; i++) {
    writer.enter(1, section('short'), span().state, 1);
    writer.exit(1, 2);
    assert.deepEqual(reader.read().open[0]!.span, early.ids);
  }
});

test('a span whose slot was taken is nobody, and gets another slot when it has a section again', () => {
  const { writer, reader } = pair();
  const early = span();
  writer.enter(0, section('first'), early.state, 0);
  writer.exit(0, 0.5);
  assert.deepEqual(reader.read().finished[0]?.span, early.ids);
  // none of them ends, so that the first one stays in the ring
  for (let i = 0; i < 2 * SPAN_SLOTS; i++) {
    const last = span();
    writer.enter(0, section('long'), last.state, 1);
    assert.deepEqual(reader.read().open[0]!.span, last.ids);
  }
  assert.equal(reader.read().finished[0]?.span, undefined, 'no other span is taken for it');
  writer.enter(1, section('again'), early.state, 3);
  assert.deepEqual(reader.read().open[1]!.span, early.ids);
});

test('two sections of one name and phase have one number, and a new name is told before its stamp', () => {
  const told: [first: number, names: string[]][] = [];
  const writer = new StampWriter((names, first) => told.push([first, names.map(({ name }) => name)]));
  const reader = new StampReader(writer.buffer);
  writer.enter(0, section('twice'), undefined, 0);
  writer.enter(1, section('twice'), undefined, 0);
  writer.enter(2, { ...section('twice'), phase: 'callback' }, undefined, 0);
  const numbers = reader.read().open.map((stamp) => stamp.section);
  assert.equal(numbers[0], numbers[1]);
  assert.notEqual(numbers[0], numbers[2]);
  assert.equal(told.length, 2, 'only what is new');
  assert.deepEqual(told.at(-1), [numbers[2], ['twice']]);
});

test('the recorder stamps what it runs, to its deepest level, and clears it', () => {
  const { writer, reader, name } = pair();
  const tracker = new SpanTracker({ onSpanStart: () => {}, onSpanEnd: () => {} });
  const listener = { onSlowSectionStart: () => {}, onLongSection: () => {}, onProgress: () => {} };
  const recorder = new SectionRecorder(tracker, listener, { thresholdMs: 1e6, sectionEventMinMs: 1e6 }, writer);
  const { state, ids } = span();
  let deepest = 0;
  const nest = (depth: number): void => {
    deepest = Math.max(deepest, reader.read().open.length);
    if (depth > 0) recorder.run(section('nested'), state, () => nest(depth - 1), undefined, [], nest);
  };
  nest(MAX_DEPTH + 5);
  assert.equal(deepest, MAX_DEPTH);
  const { open, finished } = reader.read();
  assert.deepEqual(open, []);
  assert.deepEqual([name(finished[0]!.section), finished[0]!.span, finished[0]!.runs], ['nested', ids, MAX_DEPTH]);

  const late = span();
  const adopting: Section = { ...section('handler'), adopts: 'http' };
  const started = new SpanState(late.state.span, undefined, 0, true, 'http');
  recorder.run(
    adopting,
    undefined,
    () => {
      assert.equal(reader.read().open[0]!.span, undefined);
      recorder.adopt(started);
      assert.deepEqual(reader.read().open[0]!.span, late.ids);
    },
    undefined,
    [],
    nest,
  );
});

test('a sample is read as it was written, its text cut at the end of the memory', () => {
  const { writer, reader } = pair();
  assert.equal(reader.sample(), undefined);
  const { state, ids } = span();
  writer.sample(5, state, 'blöd\n/a/file.js\n17\n    at blöd (/a/file.js:17:1)\n    at other (/b.js:1:1)');
  assert.deepEqual(reader.sample(), {
    at: 5,
    span: ids,
    functionName: 'blöd',
    file: '/a/file.js',
    line: 17,
    stack: '    at blöd (/a/file.js:17:1)\n    at other (/b.js:1:1)',
  });
  writer.sample(6, undefined, `f\nfile\n1\n${'ä'.repeat(10_000)}`);
  const cut = reader.sample()!;
  assert.equal(cut.span, undefined);
  assert.ok(cut.stack.length > 1000 && /^ä+$/.test(cut.stack), 'whole characters only');
});

test('a sample in the midst of writing a span leaves both as they are', () => {
  const { writer, reader } = pair();
  const [interrupted, other] = [span(), span()];
  const { traceId, spanId, traceFlags } = interrupted.ids;
  let interrupts = 0;
  interrupted.state.span.spanContext = () => ({
    traceId,
    spanId,
    get traceFlags() {
      if (interrupts++ === 0) writer.sample(5, other.state, '');
      return traceFlags;
    },
  });
  writer.enter(0, section('interrupted'), interrupted.state, 0);
  assert.equal(interrupts, 1);
  assert.deepEqual(reader.read().open[0]!.span, interrupted.ids);
  assert.deepEqual(reader.sample()?.span, other.ids);
});

test('a reader beside a thread that stamps without pause never mixes two moments', { timeout: 60_000 }, async () => {
  const stop = new SharedArrayBuffer(4);
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL('./fixtures/stamping.ts', import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
  });
  const worker = new Worker(outputFiles[0]!.text, { eval: true, workerData: stop });
  try {
    const [{ buffer, names }] = (await once(worker, 'message')) as [{ buffer: SharedArrayBuffer; names: string[] }];
    const reader = new StampReader(buffer);
    const hex = (i: number): string => i.toString(16).padStart(8, '0');
    /** A slot that was taken meanwhile gives nobody; never another span, or half of one. */
    const isSpan = (ids: SpanIds | undefined, i: number): boolean =>
      !ids || (ids.spanId === hex(i).repeat(2) && ids.traceId === hex(i).repeat(4) && ids.traceFlags === i % 2);
    const isSection = (number: number, i: number): boolean => names[number] === `section ${i % 8}`;
    let read = { open: 0, finished: 0, samples: 0 };
    const wrong: unknown[] = [];
    for (const end = performance.now() + 4000; performance.now() < end && wrong.length === 0; ) {
      const { open, finished } = reader.read();
      for (const stamp of open) {
        if (!isSection(stamp.section, stamp.start) || !isSpan(stamp.span, stamp.start)) wrong.push(stamp);
      }
      for (const stamp of finished) {
        if (stamp.end === 0) continue;
        const i = stamp.end - 0.5;
        if (!isSection(stamp.section, i) || !isSpan(stamp.span, i) || stamp.ms !== 0.5) wrong.push(stamp);
      }
      const sample = reader.sample();
      if (sample) {
        const { at: i, span, stack, ...code } = sample;
        if (!isSpan(span, i) || stack !== `${'stack '.repeat(i % 50)}${i}`) wrong.push(sample);
        if (code.functionName !== `f${i}` || code.file !== `file${i}` || code.line !== i) wrong.push(sample);
      }
      read = {
        open: read.open + open.length,
        finished: read.finished + finished.length,
        samples: read.samples + (sample ? 1 : 0),
      };
    }
    assert.deepEqual(wrong, []);
    assert.ok(read.open > 0 && read.finished > 0 && read.samples > 0, JSON.stringify(read));
  } finally {
    Atomics.store(new Int32Array(stop), 0, 1);
    await worker.terminate();
  }
});
