// Calls that loopblame patches, in nanoseconds each: `node calls.mjs with|without MS_PER_CALL`.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { context, trace } from '@opentelemetry/api';
import { measure } from 'mitata';
import { answer, args, require, startSdk } from './lib.mjs';

const [perCall, clientSpans] = args;
startSdk({ config: { clientSpans: clientSpans === 'spans' } });
const { readFileSync } = require('node:fs');
const tracer = trace.getTracer('bench');
const tiny = join(mkdtempSync(join(tmpdir(), 'loopblame-bench-')), 'tiny');
writeFileSync(tiny, 'x');

const inSpan = (run) => context.with(trace.setSpan(context.active(), tracer.startSpan('bench')), run);

/** Without a compiled client there is no such row. */
function statement() {
  try {
    const Database = require('better-sqlite3');
    return new Database(':memory:').prepare('SELECT 1 AS one');
  } catch {
    return undefined;
  }
}

let kept;
const calls = {
  section: () => measured(() => structuredClone(1)),
  'section in a span': () => inSpan(() => measured(() => structuredClone(1))),
  'JSON.parse of a short text': () => inSpan(() => measured(() => JSON.parse('{"a":1}'))),
  'fs.readFileSync of a byte': () => inSpan(() => measured(() => readFileSync(tiny))),
  'better-sqlite3 get'() {
    const one = statement();
    return one && inSpan(() => measured(() => one.get()));
  },
  'start and end of a span': () => measured(() => tracer.startSpan('other').end()),
  'turn of the loop': () => measured(() => new Promise((resolve) => setImmediate(resolve))),
};

async function measured(call) {
  const { p25 } = await measure(
    () => {
      kept = call();
      return kept;
    },
    { min_cpu_time: Number(perCall) * 1e6 },
  );
  return p25;
}

answer({
  async nanoseconds(names) {
    const found = {};
    for (const name of names) found[name] = await calls[name]();
    rmSync(tiny);
    return found;
  },
});
process.send({ ready: Object.keys(calls) });
