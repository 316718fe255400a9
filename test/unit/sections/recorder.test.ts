import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Span } from '@opentelemetry/api';
import { type Section, SectionRecorder, type SectionRun } from '../../../src/sections/recorder.ts';
import { StampWriter } from '../../../src/sections/stamps.ts';
import { type SpanListener, SpanState, SpanTracker } from '../../../src/spans/tracker.ts';

const nobody: SpanListener = { onSpanStart: () => {}, onSpanEnd: () => {} };
const section = (name: string, over: Partial<Section> = {}): Section => ({
  name,
  phase: 'call',
  system: 'test',
  slow: false,
  ...over,
});

/** A span as far as sections need one. */
function span(): { state: SpanState; events: string[] } {
  const events: string[] = [];
  const recording = {
    isRecording: () => true,
    addEvent: (_name: string, attributes: Record<string, string>) =>
      events.push(attributes['event_loop.section.name']!),
  } as unknown as Span;
  return { state: new SpanState(recording, undefined, 0, true), events };
}

function recorder(thresholdMs = 1e6): { sections: SectionRecorder; long: SectionRun[] } {
  const long: SectionRun[] = [];
  const listener = {
    onSlowSectionStart: () => {},
    onProgress: () => {},
    onLongSection: (run: SectionRun) => void long.push(run),
  };
  return {
    sections: new SectionRecorder(
      new SpanTracker(nobody),
      listener,
      { thresholdMs, sectionEventMinMs: 1 },
      new StampWriter(() => {}),
    ),
    long,
  };
}

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const run = (sections: SectionRecorder, name: Section, owner: SpanState | undefined, call: () => unknown): unknown =>
  sections.run(name, owner, call, undefined, [], call);

test('nested sections count once: own time goes to each owner', () => {
  const { sections } = recorder();
  const [outer, inner] = [span(), span()];
  const start = performance.now();
  run(sections, section('outer'), outer.state, () => {
    busy(6);
    run(sections, section('inner'), inner.state, () => busy(10));
    busy(6);
  });
  const total = performance.now() - start;
  assert.ok(outer.state.sync!.sumMs >= 12 && inner.state.sync!.sumMs >= 10);
  assert.ok(outer.state.sync!.sumMs + inner.state.sync!.sumMs <= total);
  assert.ok(inner.state.sync!.maxMs === inner.state.sync!.sumMs && inner.state.sync!.count === 1);
  assert.deepEqual([...outer.events, ...inner.events], ['outer', 'inner']);
});

test('a section that throws is counted, and its error passes', () => {
  const { sections } = recorder();
  const { state } = span();
  const thrown = new Error('no');
  const fails = (): never => {
    throw thrown;
  };
  assert.throws(
    () => run(sections, section('fails'), state, fails),
    (error) => error === thrown,
  );
  assert.equal(state.sync?.count, 1);
  assert.equal(sections.current(), undefined);
});

test('a span that ends inside its section gets what that took so far, and nothing after', () => {
  const { sections } = recorder();
  const { state, events } = span();
  let atEnd = 0;
  const start = performance.now();
  run(sections, section('decode'), state, () => {
    busy(5);
    sections.endOwner(state, performance.now() + (sections.current()!.start - start));
    atEnd = state.sync!.sumMs;
    state.ended = true;
    busy(20);
  });
  assert.ok(atEnd >= 4.9, `${atEnd}`);
  assert.deepEqual(state.sync, { sumMs: atEnd, maxMs: atEnd, count: 1 });
  assert.deepEqual(events, ['decode']);
});

test('only a section whose own time reaches the threshold is told as long', () => {
  const { sections, long } = recorder(15);
  run(sections, section('outer'), undefined, () => {
    run(sections, section('inner'), undefined, () => busy(15));
  });
  assert.deepEqual(
    long.map((r) => r.section.name),
    ['inner'],
  );
});
