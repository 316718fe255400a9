import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Findings, findingsOf, sectionsOf, syncOf } from '../support/findings.ts';
import { needs } from '../support/needs.ts';
import { node24 } from '../support/nodes.ts';
import type { Span } from '../support/otlp.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import type { ProgramOptions } from '../support/program.ts';
import { retryEach } from '../support/retry.ts';
import { assertSameSideBySide } from '../support/side-by-side.ts';

const OFFICIAL = '@opentelemetry/instrumentation-pg';

/** How loopblame and the official instrumentation are set up, and how pg is loaded. */
const SETUPS = [
  ['alone', 'require'],
  ['alone', 'import'],
  ['ours-first', 'import'],
  ['theirs-first', 'import'],
  ['ours-first', 'require'],
  ['theirs-first', 'require'],
] as const;

describe('pg', { skip: needs.postgres() }, () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres?.close());

  const run = (setup: string, loaded: string, scenario: string, more: ProgramOptions = {}): Promise<Findings> =>
    findingsOf('pg.mjs', {
      register: setup === 'alone' ? 'import' : 'none',
      args: [setup, loaded, scenario],
      ...more,
      env: { DATABASE_URL: postgres.url, ...more.env },
    });

  /** A query's own span where the official instrumentation made one, else the request's that made it. */
  function ownerOf({ span, spans }: Findings, spanId: string): Span {
    const request = span(spanId);
    const queries = spans.filter(
      (s) => s.scope === OFFICIAL && s.parentSpanId === spanId && s.name.startsWith('pg.query'),
    );
    assert.ok(queries.length <= 1);
    return queries[0] ?? request;
  }

  const WAYS = ['promise', 'callback', 'query object', 'pool', 'pool callback', 'pool client'];

  for (const [setup, loaded] of SETUPS) {
    // it ends no span of a query object without a callback
    const ways = setup === 'alone' ? WAYS : WAYS.filter((way) => way !== 'query object');

    it(`${setup}, by ${loaded}: each chunk of 100,000 rows is a section of the query's span`, () =>
      retryEach(
        5,
        ways,
        () => run(setup, loaded, 'rows'),
        (way, findings) => {
          const { spanId, ms, parseMs, chunks } = findings.truth.find(({ what }) => what === way);
          const owner = ownerOf(findings, spanId);
          const request = findings.span(spanId);
          assert.equal(owner === request, setup === 'alone', 'the official span is there');
          const sync = syncOf(owner);
          // an independent clock inside of ours; and the machine may stop us between the two
          assert.ok(sync.ms >= 0.95 * parseMs - 2 && sync.ms <= parseMs + 20, `${sync.ms} of ${parseMs} ms`);
          assert.ok(sync.ms <= ms, `${sync.ms} of ${ms} ms in all`);
          // and the query's submission; where the request owns it all, the callback too
          assert.equal(sync.count, chunks + (setup === 'alone' ? 2 : 1));
          if (setup !== 'alone') assert.equal(syncOf(request).count, 1, 'the callback is the caller’s');

          assert.equal(owner.attributes['event_loop.blocked'], true, JSON.stringify(owner.attributes));
          assert.equal(owner.attributes['event_loop.blocked.section'], 'pg parse');
          assert.match(String(owner.attributes['event_loop.blocked.cause']), /^(cpu|gc)$/);
          assert.ok(Number(owner.attributes['event_loop.blocked.duration']) * 1e3 <= ms);
          assert.ok(sectionsOf(owner).includes('pg parse, decode'));
          if (setup !== 'alone') assert.equal(request.attributes['event_loop.blocked'], undefined);
        },
      ));

    it(`${setup}, by ${loaded}: a query that waits for a client stays its caller's`, async () => {
      const findings = await run(setup, loaded, 'waiting');
      const sync = (what: string) => {
        const { spanId } = findings.truth.find((facts) => facts.what === what);
        return syncOf(ownerOf(findings, spanId));
      };
      const more = setup === 'alone' ? 1 : 0;
      assert.equal(sync('sleeps').count, 2 + more);
      assert.equal(sync('waits too').count, 2 + more);
      assert.ok(sync('waits').count > 10, 'the rows are those of who asked for them');
    });

    it(`${setup}, by ${loaded}: tells the application's own code in it apart`, () =>
      retryEach(
        5,
        ['value', 'type', 'in the callback', 'in the callback of an error'],
        () => run(setup, loaded, 'own'),
        (what, findings) => {
          const { spanId } = findings.truth.find((facts) => facts.what === what);
          const request = findings.span(spanId);
          const owner = ownerOf(findings, spanId);
          const isCallback = what.startsWith('in the callback');
          const { attributes } = isCallback ? request : owner;
          assert.equal(attributes['event_loop.blocked'], true, JSON.stringify(attributes));
          assert.ok(Number(attributes['event_loop.blocked.duration']) >= 0.05);
          const section = isCallback ? 'pg callback' : what === 'value' ? 'pg submit' : 'pg parse';
          assert.equal(attributes['event_loop.blocked.section'], section);
          assert.match(String(attributes['code.file.path']), /\/test\/programs\/(pg|lib)\.mjs$/);
          // who wrote the value is on the stack of whoever asked for the query; the others are what samples saw
          const seen =
            { value: 'scenarios|own|<anonymous>', type: 'readSlowly', 'in the callback': 'useResult' }[what] ??
            'useError';
          if (what === 'value') assert.match(String(attributes['code.function.name']), new RegExp(seen));
          else assert.match(String(attributes['code.stacktrace']), new RegExp(seen));
          if (setup !== 'alone') {
            const other = isCallback ? owner : request;
            assert.equal(other.attributes['event_loop.blocked'], undefined);
          }
        },
      ));
  }

  it('finds the parsing of a TLS connection too', async () => {
    for (const loaded of ['import', 'require']) {
      const findings = await run('alone', loaded, 'tls');
      const [{ spanId, parseMs, chunks, ms }] = findings.truth;
      const sync = syncOf(findings.span(spanId));
      assert.equal(sync.count, chunks + 2);
      assert.ok(sync.ms >= 0.95 * parseMs - 2 && sync.ms <= ms, `${sync.ms} of ${parseMs} ms`);
    }
  });

  it('blames nobody for what nobody asked for, nor a span that has ended', async () => {
    const { spans, truth, span } = await run('alone', 'import', 'nobody');
    assert.deepEqual(
      spans.map(({ name }) => name),
      ['request'],
    );
    assert.equal(span(truth[0].spanId).attributes['event_loop.sync.count'], undefined);
  });

  it('makes no spans, and exports no text and no value', async () => {
    for (const scenario of ['rows', 'own', 'failures', 'waiting']) {
      const { spans, ours, assertNotExported } = await run('alone', 'import', scenario);
      assert.equal(ours.length, 0);
      assert.ok(spans.length > 0);
      assertNotExported(/SECRET|generate_series/);
    }
  });

  it('leaves the official spans as they are, in either order', async () => {
    const official = async (setup: string, loaded: string, scenario: string): Promise<unknown[]> => {
      const { spans, span } = await run(setup, loaded, scenario);
      const found = spans
        .filter(({ scope }) => scope === OFFICIAL)
        .map(({ name, kind, status, attributes, events, parentSpanId }) => ({
          name,
          kind,
          status,
          parent: parentSpanId && span(parentSpanId).name,
          attributes: Object.fromEntries(
            Object.entries(attributes).filter(([key]) => !/^(event_loop|code|thread)\./.test(key)),
          ),
          events: events.filter((event) => !event.name.startsWith('event_loop.')).map((event) => event.name),
        }));
      return found.map((one) => JSON.stringify(one)).sort();
    };
    for (const loaded of ['import', 'require']) {
      for (const scenario of ['own', 'failures', 'waiting']) {
        const expected = await official('theirs', loaded, scenario);
        assert.ok(expected.length >= 3);
        for (const setup of ['ours-first', 'theirs-first']) {
          assert.deepEqual(await official(setup, loaded, scenario), expected, `${setup} ${loaded} ${scenario}`);
        }
      }
    }
  });

  for (const [name, node, skip] of [
    ['this Node', process.execPath, false],
    ['Node 24', node24.execPath, node24.skip],
  ] as const) {
    it(`behaves as it does without us, on ${name}`, { skip }, async () => {
      for (const loaded of ['import', 'require']) {
        await assertSameSideBySide('pg-calls.mjs', { node, args: [loaded], env: { DATABASE_URL: postgres.url } });
      }
    });
  }
});
