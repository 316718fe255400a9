import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, describe, test } from 'node:test';
import { forecastCommand } from '../../../src/cli/forecast-command.ts';
import { ExitCode } from '../../../src/cli/streams.ts';
import type { AttributeValue, TracedSpan } from '../../../src/forecast/spans.ts';
import { simulate, spansOfVisits, visits } from '../forecast/simulated-loop.ts';

const folder = mkdtempSync(join(tmpdir(), 'loopblame-cli-'));
after(() => rmSync(folder, { recursive: true }));

async function run(args: string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  const texts = { out: '', err: '' };
  const into = (name: 'out' | 'err') => ({ write: (text: string) => (texts[name] += text) });
  const code = await forecastCommand(args, { out: into('out'), err: into('err'), stdin: Readable.from([stdin]) });
  return { code, ...texts };
}

const otlpValue = (value: AttributeValue) => {
  if (typeof value === 'number') return { doubleValue: value };
  return typeof value === 'boolean' ? { boolValue: value } : { stringValue: value };
};
const otlpAttributes = (attributes: TracedSpan['attributes']) =>
  Object.entries(attributes).map(([key, value]) => ({ key, value: otlpValue(value) }));
const nanos = (ms: number) => String(Math.round(ms * 1e6));

/** As the collector's file exporter writes them, an export a line. */
function lines(spans: readonly TracedSpan[]): string {
  return spans
    .map((span) =>
      JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: otlpAttributes({ 'service.instance.id': span.process }) },
            scopeSpans: [
              {
                spans: [
                  {
                    ...span,
                    kind: span.isServer ? 2 : 1,
                    startTimeUnixNano: nanos(span.startMs),
                    endTimeUnixNano: nanos(span.endMs),
                    attributes: otlpAttributes(span.attributes),
                    events: span.events.map((event) => ({
                      name: event.name,
                      timeUnixNano: nanos(event.timeMs),
                      attributes: otlpAttributes(event.attributes),
                    })),
                  },
                ],
              },
            ],
          },
        ],
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

const world = (count: number, callMs: number) =>
  spansOfVisits(
    simulate(visits(count, 4.5, { route: 'POST /orders', waitMs: 2, callMs, call: 'flush' }, 1), () => 'blocks'),
  );
const blocked = lines(world(200, 200));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('loopblame forecast', () => {
  test('says of each culprit and route what a fix would buy', async () => {
    const { code, out, err } = await run([file('blocked.jsonl', blocked)]);
    assert.equal(code, ExitCode.FOUND);
    assert.equal(err, '');
    assert.match(out, /^1\. flush {2}\/app\/a\.js:1 {2}flush\n {3}held the loop 200 times, for 200 ms \(median\)/);
    assert.match(out, /POST \/orders +200 +[\d,]+ ms +[\d,]+ ms +20\d ms +20\d ms +[\d.]+ ms +[\d.]+ ms\n/);
    assert.match(out, /POST \/orders cannot pass 5 requests\/s a process as long as it holds the loop \(now 4\.\d\)/);
  });

  test('takes several files, and stdin', async () => {
    const half = blocked.length / 2;
    const cut = blocked.lastIndexOf('\n', half) + 1;
    const whole = await run(['-'], blocked);
    assert.deepEqual(await run([file('one.jsonl', blocked.slice(0, cut)), '-'], blocked.slice(cut)), whole);
    assert.equal(whole.code, ExitCode.FOUND);
  });

  test('gives data, too', async () => {
    const { code, out } = await run(['--json', '-'], blocked);
    assert.equal(code, ExitCode.FOUND);
    const [culprit] = JSON.parse(out).culprits;
    assert.equal(culprit.culprit.function, 'flush');
    assert.equal(culprit.routes[0].requests, 200);
    assert.ok(culprit.routes[0].notWaiting.p50Ms < culprit.routes[0].awaited.p50Ms);
  });

  test('shows the first of many culprits', async () => {
    const many = ['a', 'b', 'c'].flatMap((name) =>
      world(40, 100).map((span) => ({
        ...span,
        process: name,
        traceId: `${name}${span.traceId}`,
        events: span.events.map((event) => ({
          ...event,
          attributes: { ...event.attributes, 'code.function.name': name },
        })),
      })),
    );
    const { out } = await run(['--top', '2', '-'], lines(many));
    assert.match(out, /^1\. /m);
    assert.match(out, /^2\. /m);
    assert.doesNotMatch(out, /^3\. /m);
    assert.match(out, /^And 1 more/m);
  });

  test('says so where the door was not seen, and where requests are missing', async () => {
    const noDoor = world(200, 200).map(({ attributes, ...span }) => {
      const { 'event_loop.stalled.before_start': _, ...others } = attributes;
      return { ...span, attributes: { ...others, 'event_loop.blocked.count': 1, 'event_loop.blocked.victims': 50 } };
    });
    const { out } = await run(['-'], lines(noDoor));
    assert.match(out, /No request says how long it had stood unread/);
    assert.match(out, /It rests on 200 requests, about \d+ % of those that had to wait/);
    assert.doesNotMatch((await run(['-'], blocked)).out, /No request|rests on/);
  });

  test('passes over lines that are no JSON, and says how many', async () => {
    const { code, err } = await run(['-'], `not JSON\n${blocked}{"resourceSpans":[{"cut off`);
    assert.equal(code, ExitCode.FOUND);
    assert.equal(err, 'loopblame: -: passed over 2 lines of no OTLP/JSON\n');
  });

  for (const [name, args, stdin, code, said] of [
    ['a file that is not there', ['/nowhere/traces.jsonl'], '', ExitCode.TROUBLE, /nowhere.* cannot be read: ENOENT/],
    ['a folder', ['/'], '', ExitCode.TROUBLE, /^loopblame: \/ cannot be read: EISDIR/],
    ['no file', [], '', ExitCode.TROUBLE, /wants a file of traces; see loopblame --help/],
    ['an option that does not exist', ['--fast', '-'], '', ExitCode.TROUBLE, /Unknown option '--fast'.*--help/],
    ['--top of nothing', ['--top', '0', '-'], '', ExitCode.TROUBLE, /--top wants a whole number from 1 on, not 0/],
    ['an empty file', ['-'], '', ExitCode.NOTHING, /no spans there/],
    ['another file', ['-'], 'a: b\n', ExitCode.NOTHING, /passed over 1 line of.*\n.*no spans there/],
    ['no culprits', ['-'], lines(world(50, 0)), ExitCode.NOTHING, /none of 50 spans held the loop/],
    ['too few requests', ['-'], lines(world(29, 200)), ExitCode.NOTHING, /rests on 30 requests.* there are 29/],
  ] as const) {
    test(`ends in a sentence: ${name}`, async () => {
      const result = await run([...args], stdin);
      assert.equal(result.code, code);
      assert.match(result.err, said);
      assert.equal(result.out, '');
    });
  }
});
