import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { type Findings, findingsOf, lineOf, sectionsOf, syncOf } from './findings.ts';
import type { Span } from './otlp.ts';
import type { ProgramOptions } from './program.ts';
import { retryEach } from './retry.ts';

const program = 'sqlite-scenarios.mjs';

interface Client {
  /** As the program is told it, and as its sections are called. */
  client: string;
  sections: string;
  options: ProgramOptions;
  /** What SQLite's own codes are told as: of a generic error, and of a constraint that does not hold. */
  codes: { error: string; unique: string };
}

/** For tests of one client each. */
export interface SqliteRuns {
  run(scenario: string, more?: ProgramOptions): Promise<Findings>;
}

/** Tests for both SQLite clients, which do the same: to be called in a `describe`. */
export function testSqlite({ client, sections, options, codes }: Client): SqliteRuns {
  const folder = mkdtempSync(join(tmpdir(), 'loopblame-sqlite-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let runs = 0;
  const run = (scenario: string, more: ProgramOptions = {}): Promise<Findings> => {
    // a folder of each run's own, whose name must not be told
    const home = join(folder, `SECRET ${runs++}`);
    mkdirSync(home);
    return findingsOf(program, { ...options, ...more, args: [client, scenario, join(home, 'orders.db')] });
  };

  function assertDatabaseSpan(span: Span, operation: string): void {
    assert.equal(`${span.kind} ${span.name}`, `CLIENT ${operation} orders.db`);
    assert.equal(span.attributes['db.system.name'], 'sqlite');
    assert.equal(span.attributes['db.operation.name'], operation);
    assert.equal(span.attributes['db.namespace'], 'orders.db');
  }

  function assertBlocked(span: Span, call: string, fn: string, code: string, ms: number): void {
    const { attributes } = span;
    assert.equal(attributes['event_loop.blocked'], true, JSON.stringify(attributes));
    assert.equal(attributes['event_loop.blocked.section'], `${sections} ${call}`);
    assert.equal(attributes['event_loop.blocked.cause'], 'cpu');
    assert.equal(attributes['code.function.name'], fn);
    assert.match(String(attributes['code.file.path']), /\/test\/programs\/sqlite-scenarios\.mjs$/);
    assert.equal(attributes['code.line.number'], lineOf(program, code));
    // the section lies within what the program measured; the machine may have stopped it between the two
    const blocked = Number(attributes['event_loop.blocked.duration']) * 1e3;
    assert.ok(blocked <= ms && blocked >= 0.75 * ms - 10, `${blocked} of ${ms} ms`);
    assert.deepEqual(sectionsOf(span), [`${sections} ${call}, call`]);
  }

  const slowCalls = [
    ['all', 'readAll', 'counting.all(n);', 'WITH', 1],
    ['get', 'readOne', '  counting.get(n);', 'WITH', 1],
    ['run', 'write', 'inserting.run(n);', 'INSERT', 1],
    ['exec', 'execute', 'db.exec(`  ', 'WITH', 1],
    // iterate(), two rows' next() and the end
    ['next', 'walk', 'counting.iterate(n)', 'WITH', 3],
  ] as const;

  it('blames each call that computes for long: its span, call, function and line, for as long as it took', () =>
    retryEach(
      6,
      slowCalls,
      () => run('slow'),
      ([call, fn, code, operation, count], { truth, under, span }) => {
        const { spanId, ms } = truth.find((facts) => facts.call === call);
        const [query, ...others] = under(spanId);
        assert.equal(others.length, 0);
        assertDatabaseSpan(query!, operation);
        assertBlocked(query!, call, fn, code, ms);
        assert.equal(syncOf(query!).count, count);
        const { attributes } = span(spanId);
        assert.equal(attributes['event_loop.blocked'], undefined, 'the request itself waited');
        assert.equal(attributes['event_loop.blocked.below'], query!.attributes['event_loop.blocked.duration']);
      },
    ));

  it('without clientSpans it is all the active span’s', () =>
    retryEach(
      6,
      slowCalls,
      () => run('slow', { env: { LOOPBLAME_CLIENT_SPANS: 'false' } }),
      ([call, fn, code, , count], { truth, ours, span }) => {
        assert.equal(ours.length, 0);
        const { spanId, ms } = truth.find((facts) => facts.call === call);
        assertBlocked(span(spanId), call, fn, code, ms);
        assert.equal(syncOf(span(spanId)).count, count);
      },
    ));

  it('makes one span of an iteration, however it ends, and leaves the loop’s body to its own', async () => {
    const { truth, under, span } = await run('iterate');
    const steps = { done: 7, return: 3, throw: 4, 'in the midst': 7 };
    for (const { how, spanId, result } of truth) {
      const [select, ...others] = under(spanId);
      assert.equal(others.length, 0, how);
      assertDatabaseSpan(select!, 'SELECT');
      assert.equal(syncOf(select!).count, steps[how as keyof typeof steps], how);
      const prepared = span(spanId).attributes['event_loop.sync.count'];
      assert.equal(prepared, how === 'throw' ? 1 : undefined);
      assert.equal(select!.status.code, how === 'throw' ? 'ERROR' : 'UNSET', how);
      assert.equal(select!.attributes['error.type'], how === 'throw' ? codes.error : undefined);
      if (how === 'in the midst') assert.equal(result, spanId);
    }
  });

  it('tells errors by their codes alone', async () => {
    const { truth, under } = await run('errors');
    const failed = (what: string): Span[] => under(truth.find((facts) => facts.what === what).spanId);
    const [syntax] = failed('syntax');
    // the first word is no keyword: it may be anything
    assert.equal(syntax?.name, 'orders.db');
    assert.equal(syntax?.attributes['db.operation.name'], undefined);
    assert.equal(syntax?.attributes['db.response.status_code'], codes.error);
    assert.equal(failed('prepare').length, 0);
    const [inserted, refused] = failed('unique');
    assert.equal(inserted?.status.code, 'UNSET');
    assert.equal(refused?.attributes['error.type'], codes.unique);
    const [argument] = failed('argument');
    assert.match(String(argument?.attributes['error.type']), /^(TypeError|ERR_INVALID_ARG_TYPE)$/);
    for (const span of [syntax, refused, argument])
      assert.deepEqual(span?.status, { code: 'ERROR', message: undefined });
  });

  it('exports no statement, no value, no path', async () => {
    for (const scenario of ['slow', 'iterate', 'errors', 'more']) {
      const { assertNotExported, truth, ours } = await run(scenario);
      assert.ok(truth.length > 0 && ours.length > 0);
      assertNotExported(/secret/i);
    }
  });

  return { run };
}
