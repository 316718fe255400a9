import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { MetricPoint, Span } from './otlp.ts';
import { type ProgramOptions, runProgram } from './program.ts';
import { startReceiver } from './receiver.ts';
import { clientSpansOf } from './spans.ts';

/** What a program told of itself, and all that it exported. */
export interface Findings {
  // biome-ignore lint/suspicious/noExplicitAny: each program has its own
  truth: any[];
  stderr: string;
  spans: Span[];
  metrics: MetricPoint[];
  /** The client spans that loopblame made. */
  ours: Span[];
  span(id: string): Span;
  /** Our spans directly under that one. */
  under(id: string): Span[];
  /** Fails where one of these words is in anything that was exported, but for the resource, which is not ours. */
  assertNotExported(words: RegExp): void;
}

/** Runs test/programs/NAME to its end, with a receiver of its own. */
export async function findingsOf(name: string, options: ProgramOptions): Promise<Findings> {
  const receiver = await startReceiver();
  try {
    const { code, truth, stdout, stderr } = await runProgram(name, { receiver, ...options });
    assert.equal(code, 0, `${stderr}${stdout}`);
    assert.deepEqual(receiver.refused, []);
    const { spans, metrics, logs } = receiver;
    const ours = clientSpansOf(spans);
    return {
      truth,
      stderr,
      spans,
      metrics,
      ours,
      span(id) {
        const found = spans.find((span) => span.spanId === id);
        assert.ok(found, `span ${id} was exported`);
        return found;
      },
      under: (id) => ours.filter((span) => span.parentSpanId === id),
      assertNotExported(words) {
        for (const { resource: _, ...exported } of [...spans, ...metrics, ...logs]) {
          const found = words.exec(JSON.stringify(exported));
          assert.ok(!found, `exported: ${found?.input.slice(Math.max(0, found.index - 80), found.index + 80)}`);
        }
      },
    };
  } finally {
    await receiver.close();
  }
}

/** Where a program has that code. */
export function lineOf(program: string, code: string): number {
  const path = fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
  const lines = readFileSync(path, 'utf8').split('\n');
  assert.equal(lines.filter((line) => line.includes(code)).length, 1, `${program} has one line with ${code}`);
  return lines.findIndex((line) => line.includes(code)) + 1;
}

/** The sections that are events of a span, as `name, phase`. */
export function sectionsOf(span: Span): string[] {
  return span.events
    .filter((event) => event.name === 'event_loop.section')
    .map(({ attributes }) => `${attributes['event_loop.section.name']}, ${attributes['event_loop.section.phase']}`);
}

/** What a span's synchronous sections took, in ms, and how many they were. */
export function syncOf({ attributes }: Span): { ms: number; maxMs: number; count: number } {
  const ms = Number(attributes['event_loop.sync.duration']) * 1e3;
  const maxMs = Number(attributes['event_loop.sync.max']) * 1e3;
  const count = Number(attributes['event_loop.sync.count']);
  assert.ok(maxMs > 0 && maxMs <= ms && (count > 1 || maxMs === ms), `${maxMs} of ${ms} ms in ${count}`);
  return { ms, maxMs, count };
}
