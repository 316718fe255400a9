import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SampleStamp, SpanIds, Stamps } from '../../../src/sections/stamp-reader.ts';
import type { SectionName } from '../../../src/sections/stamps.ts';
import { before, culpritOf, type Observation } from '../../../src/still-blocked/observation.ts';
import { Double } from '../../../src/still-blocked/otlp.ts';
import { lagGauge, logRecord, stderrLine } from '../../../src/still-blocked/report.ts';

const names: SectionName[] = [
  { name: 'unknown', phase: 'call', system: '' },
  { name: 'node-rdkafka data', phase: 'callback', system: 'kafka' },
  { name: 'node-rdkafka commitMessageSync', phase: 'call', system: 'kafka' },
  { name: 'allowBlocking', phase: 'call', system: 'nodejs', expected: 'migration' },
];
const span = (digit: string): SpanIds => ({ traceId: digit.repeat(32), spanId: digit.repeat(16), traceFlags: 1 });
const sample = (over: Partial<SampleStamp> = {}): SampleStamp => ({
  at: 9990,
  span: span('c'),
  functionName: 'handler',
  file: '/app/routes.js',
  line: 12,
  stack: '    at handler (/app/routes.js:12:3)',
  ...over,
});
const nothing: Stamps = { open: [], finished: [] };

/** The loop has been stuck from 8,000 to 10,000. */
const observation = (over: Partial<Observation> = {}): Observation => ({
  at: 10_000,
  stuckMs: 2000,
  cause: 'native_wait',
  evidence: { wall: 1990, run: 12, queue: 3 },
  stamps: nothing,
  sectionName: (number) => names[number],
  sample: undefined,
  isSampleCurrent: false,
  expected: undefined,
  ...over,
});
const open = (...stamps: [section: number, start: number, span?: SpanIds][]): Stamps => ({
  open: stamps.map(([section, start, ids]) => ({ section, start, span: ids })),
  finished: [],
});

test('a native call is named by its section, with its span', () => {
  const { section, span: ids, sample: code } = culpritOf(observation({ stamps: open([2, 8010, span('a')]) }));
  assert.equal(section?.name, 'node-rdkafka commitMessageSync');
  assert.equal(section?.ms, 1990);
  assert.deepEqual(ids, span('a'));
  assert.equal(code, undefined);
});

test('the innermost section that lasts at least half of the stall is named, and the span of one around it', () => {
  const nested = culpritOf(observation({ stamps: open([1, 8010, span('a')], [2, 9000]) }));
  assert.equal(nested.section?.name, 'node-rdkafka commitMessageSync');
  assert.deepEqual(nested.span, span('a'), 'it has no span of its own');
  const short = culpritOf(observation({ stamps: open([1, 8010, span('a')], [2, 9001, span('b')]) }));
  assert.equal(short.section?.name, 'node-rdkafka data');
  assert.deepEqual(short.span, span('a'));
});

test('of many short sections the current one is named only where no sample shows who calls them', () => {
  const stamps = open([2, 9999, span('a')]);
  assert.equal(culpritOf(observation({ stamps })).section?.name, 'node-rdkafka commitMessageSync');
  const sampled = culpritOf(observation({ stamps, sample: sample(), isSampleCurrent: true }));
  assert.equal(sampled.section, undefined);
  assert.equal(sampled.sample?.functionName, 'handler');
  assert.deepEqual(sampled.span, span('c'));
});

test('a current sample knows the span inside a section; one that proves nothing leaves it to the section', () => {
  const stamps = open([1, 8010, span('a')]);
  const current = { stamps, isSampleCurrent: true };
  assert.deepEqual(culpritOf(observation({ ...current, sample: sample() })).span, span('c'));
  const unknown = sample({ span: undefined, functionName: '', stack: '' });
  assert.deepEqual(culpritOf(observation({ ...current, sample: unknown })).span, span('a'));
});

test('a sample that is out of date accuses no span, and is shown only where no section is known', () => {
  const stale = { sample: sample({ at: 8300 }), isSampleCurrent: false };
  const alone = culpritOf(observation(stale));
  assert.equal(alone.span, undefined);
  assert.equal(alone.sample?.functionName, 'handler');
  assert.deepEqual(
    logRecord(observation(stale), 1000, { id: 0, name: 'main' }, 0).attributes['event_loop.sample.age'],
    new Double(1.7),
  );
  assert.equal(culpritOf(observation({ ...stale, stamps: open([2, 8400]) })).sample, undefined);
});

test('the record has the span in its own fields, and what is known as attributes', () => {
  const stamps: Stamps = {
    ...open([2, 8010, span('a')]),
    finished: [
      { section: 2, span: undefined, end: 8000, ms: 3.04, runs: 12 },
      { section: 1, span: undefined, end: 7400, ms: 200.4, runs: 1 },
    ],
  };
  const record = logRecord(observation({ stamps, unread: 7, acceptQueue: 2 }), 1000, { id: 0, name: 'main' }, 3);
  const { timeMs, ...rest } = record;
  assert.ok(Math.abs(timeMs - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    severity: 'WARN',
    eventName: 'event_loop.still_blocked',
    body: 'The event loop has been blocked for 2.0 s by node-rdkafka commitMessageSync (native_wait)',
    ...span('a'),
    attributes: {
      'event_loop.stall.duration': new Double(2),
      'event_loop.stall.cause': 'native_wait',
      'event_loop.stall.cpu_time': new Double(0.012),
      'event_loop.stall.queue_time': new Double(0.003),
      'event_loop.stall.unread': 7,
      'event_loop.stall.accept_queue': 2,
      'event_loop.blocked.expected': undefined,
      'event_loop.blocked.section': 'node-rdkafka commitMessageSync',
      'event_loop.section.phase': 'call',
      'event_loop.section.system': 'kafka',
      'event_loop.section.duration': new Double(1.99),
      'event_loop.sections.before': [
        'node-rdkafka commitMessageSync × 12, 3.0 ms, 2.0 s ago',
        'node-rdkafka data, 200 ms, 2.6 s ago',
      ],
      'code.function.name': undefined,
      'code.file.path': undefined,
      'code.line.number': undefined,
      'code.stacktrace': undefined,
      'event_loop.sample.age': undefined,
      'thread.id': 0,
      'thread.name': 'main',
      'event_loop.reports.lost': 3,
    },
  });
});

test('it is a warning at first, an error from five times the limit on, and neither where the block is expected', () => {
  const severity = (stuckMs: number, over: Partial<Observation> = {}): string =>
    logRecord(observation({ stuckMs, ...over }), 1000, { id: 0, name: 'main' }, 0).severity;
  assert.equal(severity(4999), 'WARN');
  assert.equal(severity(5000), 'ERROR');
  const stamps = open([3, 8010], [2, 8020]);
  assert.equal(severity(5000, { stamps }), 'INFO');
  assert.equal(severity(5000, { expected: 'startup' }), 'INFO');
  const { attributes, body } = logRecord(observation({ stamps }), 1000, { id: 0, name: 'main' }, 0);
  assert.equal(attributes['event_loop.blocked.expected'], 'migration');
  assert.match(body, /as expected \(migration\)$/);
});

test('the line on stderr is one line of pairs, whatever the names are', () => {
  const strange = sample({ functionName: 'a "b"\nc', span: undefined });
  const line = stderrLine(observation({ stamps: open([2, 8010, span('a')]) }), 'my service');
  assert.equal(
    line,
    `loopblame event_loop.still_blocked duration=2.000s cause=native_wait section="node-rdkafka commitMessageSync" trace_id=${'a'.repeat(32)} span_id=${'a'.repeat(16)} pid=${process.pid} service="my service"\n`,
  );
  const odd = stderrLine(observation({ sample: strange, isSampleCurrent: true }), 'x');
  assert.match(odd, /function="a \\"b\\"\\nc" at=\/app\/routes\.js:12 /);
  assert.equal(odd.split('\n').length, 2);
});

test('sections before are none where nothing has run, and unknown where a name is not known', () => {
  assert.deepEqual(before(observation()), []);
  const stamps: Stamps = { open: [], finished: [{ section: 99, span: undefined, end: 9950, ms: 0.04, runs: 1 }] };
  assert.deepEqual(before(observation({ stamps })), ['unknown, 0.0 ms, 0.1 s ago']);
});

test('the gauge is the loop’s own, in seconds', () => {
  const { name, unit, value, attributes } = lagGauge(1234, { id: 3, name: 'images' });
  assert.deepEqual([name, unit, value], ['event_loop.lag', 's', 1.234]);
  assert.deepEqual(attributes, { 'thread.id': 3, 'thread.name': 'images' });
});
