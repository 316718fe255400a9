// Node's own synchronous calls in spans, as `node builtins.mjs SCENARIO`.
import { execFileSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { gzipSync } from 'node:zlib';
import { context, SpanKind } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { inSpan, sleep, timed, truth } from './lib.mjs';

const request = (fn) => inSpan('request', fn, { kind: SpanKind.SERVER });
const folder = mkdtempSync(join(tmpdir(), 'loopblame-builtins-'));

/** How much of something takes so long on this machine. */
function calibrated(ms, run, start) {
  let n = start;
  const once = () => timed(() => run(n));
  while (Math.min(once(), once()) < ms) n = Math.ceil(n * 1.5);
  return n;
}

const bytes = (n) => Buffer.alloc(n, 'a text that is packed');
const objects = (n) => Array.from({ length: n }, (_, i) => ({ i, s: `s${i}` }));
const hash = (n) => pbkdf2Sync('secret', 'salt', n, 64, 'sha512');
/** A file without blocks: reading it is the kernel's work alone. */
const sparse = join(folder, 'sparse');
writeFileSync(sparse, '');
calibrated(
  80,
  (n) => {
    truncateSync(sparse, n);
    readFileSync(sparse);
  },
  16e6,
);
const rounds = calibrated(80, hash, 20_000);
const many = objects(calibrated(80, (n) => serialize(objects(n)), 50_000) * 2);
const text = JSON.stringify(many);
const packed = bytes(calibrated(80, (n) => gzipSync(bytes(n), { level: 9 }), 1e6) * 1.5);

/** Each is the last act of a continuation: on Node 24 a sample finds nothing of it any more. */
const slowCalls = {
  'fs.readFileSync': function read() {
    return readFileSync(sparse);
  },
  'child_process.execFileSync': function run() {
    return execFileSync('sleep', ['0.1']);
  },
  'crypto.pbkdf2Sync': function derive() {
    return hash(rounds);
  },
  'zlib.gzipSync': function pack() {
    return gzipSync(packed, { level: 9 });
  },
  'v8.serialize': function write() {
    return serialize(many);
  },
  structuredClone: function copy() {
    return structuredClone(many);
  },
  'JSON.parse': function parse() {
    return JSON.parse(text);
  },
  'Atomics.wait': function wait() {
    return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  },
};

const scenarios = {
  async slow() {
    // what the calibration has cost is forgotten by then
    await sleep(2000);
    for (const [section, run] of Object.entries(slowCalls)) {
      let ms = 0;
      const innocent = request(() => sleep(150));
      const spanId = await request(async () => {
        await sleep(150);
        ms = timed(run);
      });
      truth({ section, spanId, ms, innocent: await innocent });
      await sleep(50);
    }
  },

  /** What counts, and as how many. */
  async counted() {
    const file = join(folder, 'file');
    const long = `[${'1,'.repeat(40_000)}1]`;
    writeFileSync(file, 'text');
    for (const [what, run] of Object.entries({
      'one readFileSync': () => readFileSync(file),
      'a short text': () => JSON.parse('[1]'),
      'a text of 64 KiB': () => JSON.parse(`[${' '.repeat(64 * 1024 - 2)}]`),
      'one that is longer by one': () => JSON.parse(`[${' '.repeat(64 * 1024 - 1)}]`),
      'long bytes': () => JSON.parse(Buffer.from(long)),
      'in a reviver': () => JSON.parse(`[1${' '.repeat(70_000)}]`, (_, value) => readFileSync(file) && value),
      suppressed: () => context.with(suppressTracing(context.active()), () => readFileSync(file)),
      'a failure': () => {
        try {
          readFileSync(join(folder, 'none'));
        } catch {}
      },
    })) {
      truth({ what, spanId: await request(run) });
    }
  },

  /** Without any span. */
  async alone() {
    await sleep(2000);
    for (let i = 0; i < 10; i++) {
      truth({ ms: timed(slowCalls['crypto.pbkdf2Sync']) });
      await sleep(50);
    }
    await sleep(600);
  },
};

await sleep(300);
await scenarios[process.argv[2]]();
rmSync(folder, { recursive: true });
