// All that can be seen of Node's own synchronous calls, for a comparison with and without loopblame.
import childProcess from 'node:child_process';
import crypto from 'node:crypto';
import * as namespace from 'node:fs';
import fs, { readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import v8 from 'node:v8';
import zlib from 'node:zlib';
import { attempt, see, seeMethods, shapeOf, tell } from './side-by-side.mjs';

const require = createRequire(import.meta.url);
const folder = fs.mkdtempSync(join(tmpdir(), 'loopblame-calls-'));
// the folder's name is this run's own
const inFolder = (fn) => () => {
  try {
    const result = fn();
    return typeof result === 'string' ? result.replaceAll(folder, '…') : result;
  } catch (error) {
    error.message = error.message.replaceAll(folder, '…');
    throw error;
  }
};
const tried = (what, fn) => attempt(what, inFolder(fn));
const at = (name) => join(folder, name);

for (const [name, module] of Object.entries({ fs, child_process: childProcess, crypto, zlib, v8 })) {
  see(`keys of ${name}`, Object.keys(module));
  seeMethods(
    name,
    module,
    Object.keys(module).filter((key) => key.endsWith('Sync')),
  );
}
seeMethods('v8', v8, ['serialize', 'deserialize', 'writeHeapSnapshot', 'getHeapSnapshot']);
seeMethods('Dir', fs.Dir.prototype, ['readSync', 'closeSync', 'read', 'close']);
seeMethods('JSON', JSON, ['parse', 'stringify']);
seeMethods('Atomics', Atomics, ['wait', 'notify']);
seeMethods('global', globalThis, ['structuredClone']);
see('realpathSync.native', shapeOf(fs.realpathSync.native));
see('one function by every way', [
  readFileSync === fs.readFileSync,
  namespace.readFileSync === fs.readFileSync,
  namespace.default === fs,
  // biome-ignore lint/style/useNodejsImportProtocol: as applications have it
  require('fs') === fs,
  require('node:fs').statSync === statSync,
  process.getBuiltinModule?.('fs').statSync === (process.getBuiltinModule && statSync),
  structuredClone === globalThis.structuredClone,
]);

// Files
tried('writeFileSync', () => fs.writeFileSync(at('a'), 'text'));
tried('readFileSync', () => readFileSync(at('a'), 'utf8'));
tried('readFileSync as bytes', () => readFileSync(at('a')));
tried('readFileSync of nothing', () => readFileSync(at('none')));
tried('readFileSync without arguments', () => readFileSync());
tried('readFileSync on nothing', () => readFileSync.call(undefined, at('a'), { encoding: 'utf8' }));
tried('appendFileSync', () => fs.appendFileSync(at('a'), ' more'));
tried('statSync', () => [
  statSync(at('a')).size,
  statSync(at('a')) instanceof fs.Stats,
  statSync(at('a'), { bigint: true }).size,
]);
tried('statSync of nothing', () => statSync(at('none')));
tried('statSync that does not throw', () => statSync(at('none'), { throwIfNoEntry: false }));
tried('existsSync', () => [fs.existsSync(at('a')), fs.existsSync(at('none')), fs.existsSync(), fs.existsSync({})]);
tried('accessSync', () => fs.accessSync(at('none')));
tried('mkdirSync', () => fs.mkdirSync(at('b/c'), { recursive: true }));
tried('mkdirSync again', () => fs.mkdirSync(at('b')));
tried('cpSync', () =>
  fs.cpSync(at('a'), at('b/copy'), {
    filter: (...paths) =>
      see(
        'filter of cpSync',
        paths.map((path) => path.replace(folder, '…')),
      ),
  }),
);
tried('cpSync of a folder', () =>
  fs.cpSync(at('b'), at('d'), { recursive: true, filter: () => fs.existsSync(at('a')) }),
);
tried('copyFileSync', () => fs.copyFileSync(at('a'), at('e')));
tried('renameSync', () => fs.renameSync(at('e'), at('f')));
tried('readdirSync', () => fs.readdirSync(folder, { recursive: true }).sort());
tried('symlinkSync', () => fs.symlinkSync(at('a'), at('link')));
tried('readlinkSync', () => fs.readlinkSync(at('link')));
tried('realpathSync', () => realpathSync(at('link')));
tried('realpathSync.native', () => realpathSync.native(at('link')));
tried('lstatSync', () => fs.lstatSync(at('link')).isSymbolicLink());
tried('opendirSync', () => {
  const dir = fs.opendirSync(at('b'));
  const names = [dir.readSync().name, dir.readSync()?.name, dir.readSync()];
  return [names.sort(), dir.closeSync()];
});
tried('opendirSync of nothing', () => fs.opendirSync(at('none')));
tried('a file by its descriptor', () => {
  const fd = fs.openSync(at('g'), 'w+');
  const buffer = Buffer.alloc(3);
  return [
    fs.writeSync(fd, 'abc'),
    fs.readSync(fd, buffer, 0, 3, 0),
    buffer.toString(),
    fs.fstatSync(fd).size,
    fs.ftruncateSync(fd, 1),
    fs.fsyncSync(fd),
    fs.readvSync(fd, [buffer], 0),
    fs.closeSync(fd),
  ];
});
tried('closeSync of nothing', () => fs.closeSync(-1));
tried('readSync of nothing', () => fs.readSync(1e6, Buffer.alloc(1)));
tried('rmSync', () => fs.rmSync(at('d'), { recursive: true }));
tried('unlinkSync', () => fs.unlinkSync(at('none')));

// Replaced by a test's stub, and put back: also where it was imported by its name
const original = fs.readFileSync;
fs.readFileSync = () => 'stubbed';
syncBuiltinESMExports();
see('stubbed', [readFileSync(), namespace.readFileSync(), require('node:fs').readFileSync()]);
fs.readFileSync = original;
syncBuiltinESMExports();
see('restored', [readFileSync === original, readFileSync(at('a'), 'utf8')]);

// Processes
const node = process.execPath;
tried('execFileSync', () => childProcess.execFileSync(node, ['-p', '1 + 1']).toString());
tried('execFileSync that fails', () => childProcess.execFileSync(node, ['-e', 'process.exit(3)'], { stdio: 'pipe' }));
tried('execFileSync of nothing', () => childProcess.execFileSync('/nowhere/none'));
tried('execSync', () => childProcess.execSync('echo text', { encoding: 'utf8' }));
tried('execSync that fails', () => childProcess.execSync('exit 4', { stdio: 'pipe' }));
tried('spawnSync', () => {
  const { pid, ...result } = childProcess.spawnSync(node, ['-e', 'process.stdin.pipe(process.stdout)'], {
    input: 'in',
  });
  return [typeof pid, result];
});
tried('spawnSync that takes too long', () => {
  const { error, signal } = childProcess.spawnSync(node, ['-e', 'setTimeout(() => {}, 1e5)'], { timeout: 200 });
  return [error.code, signal];
});
tried('spawnSync without arguments', () => childProcess.spawnSync());

// Cryptography
const hex = (bytes) => Buffer.from(bytes).toString('hex');
tried('pbkdf2Sync', () => hex(crypto.pbkdf2Sync('a', 'b', 10, 8, 'sha256')));
tried('pbkdf2Sync of an unknown digest', () => crypto.pbkdf2Sync('a', 'b', 10, 8, 'none'));
tried('scryptSync', () => hex(crypto.scryptSync('a', 'b', 8, { N: 2 })));
tried('hkdfSync', () => [
  crypto.hkdfSync('sha256', 'a', 'b', 'c', 8).constructor.name,
  hex(crypto.hkdfSync('sha256', 'a', 'b', 'c', 8)),
]);
tried('generateKeyPairSync', () => crypto.generateKeyPairSync('ed25519').publicKey.type);
tried('generateKeySync', () => crypto.generateKeySync('hmac', { length: 64 }).type);
tried('generatePrimeSync', () => crypto.generatePrimeSync(32).byteLength);
tried('checkPrimeSync', () => [crypto.checkPrimeSync(7n), crypto.checkPrimeSync(8n)]);
const filled = Buffer.alloc(4);
see('randomFillSync', crypto.randomFillSync(filled) === filled);
tried('randomFillSync of nothing', () => crypto.randomFillSync());

// Compression
for (const [pack, unpack] of [
  ['deflateSync', 'inflateSync'],
  ['gzipSync', 'gunzipSync'],
  ['deflateRawSync', 'inflateRawSync'],
  ['brotliCompressSync', 'brotliDecompressSync'],
  ['zstdCompressSync', 'zstdDecompressSync'],
]) {
  if (!zlib[pack]) continue;
  tried(pack, () => zlib[unpack](zlib[pack]('text')).toString());
  tried(`${unpack} of nonsense`, () => zlib[unpack]('nonsense'));
}
tried('gzipSync of nothing', () => zlib.gzipSync());

// JSON: short, long, and anything else
const long = `{"a":[${'1,'.repeat(40_000)}2],"b":{"c":"x"}}`;
const sum = (value) => value.a.reduce((x, y) => x + y, 0);
tried('JSON.parse', () => JSON.parse('{"a":[1,2]}'));
tried('JSON.parse of a long text', () => sum(JSON.parse(long)));
tried('JSON.parse of bytes', () => sum(JSON.parse(Buffer.from(long))));
for (const text of ['{"b":{"c":[1]}}', `{"b":{"c":[1]}${' '.repeat(70_000)}}`]) {
  const seen = [];
  const result = JSON.parse(text, function (key, value, ...more) {
    seen.push([key, Object.keys(this), more.length]);
    return key === '0' ? 'revived' : value;
  });
  see(`a reviver of ${text.length}`, [seen, result]);
  attempt('a reviver that throws', () =>
    JSON.parse(text, () => {
      throw new RangeError('from the reviver');
    }),
  );
}
tried('JSON.parse of a long wrong text', () => JSON.parse(`${long.slice(0, -1)}!`));
for (const [what, value] of Object.entries({
  nothing: undefined,
  null: null,
  'a number': 12,
  'a bigint': 7n,
  'a symbol': Symbol('x'),
  'a String': new String('[1]'),
  'an empty text': '',
  nonsense: 'nonsense',
  'a buffer': Buffer.from('[2]'),
})) {
  tried(`JSON.parse of ${what}`, () => JSON.parse(value));
}
let asked = 0;
tried('JSON.parse of an object', () =>
  JSON.parse({
    get length() {
      asked++;
      return 1e6;
    },
    toString: () => `[${++asked}]`,
  }),
);
see('asked', asked);
tried('JSON.parse without arguments', () => JSON.parse());
tried('JSON.parse with more arguments', () => JSON.parse('[3]', null, 1, 2));
tried('JSON.parse on nothing', () => JSON.parse.call(undefined, '[4]'));
tried('JSON.parse of many', () => ['[5]', '[6]'].map((text) => JSON.parse(text)));
tried('JSON.parse is no constructor', () => new JSON.parse('[7]'));

// Copies, snapshots, waiting
const shared = new Int32Array(new SharedArrayBuffer(4));
tried('structuredClone', () =>
  structuredClone({ a: new Map([[1, new Date(5)]]) })
    .a.get(1)
    .getTime(),
);
tried('structuredClone with transfer', () => {
  const { buffer } = new Uint8Array(3);
  return [structuredClone(buffer, { transfer: [buffer] }).byteLength, buffer.byteLength];
});
tried('structuredClone of a function', () => structuredClone(() => {}));
tried('structuredClone without arguments', () => structuredClone());
tried('structuredClone is no constructor', () => new structuredClone({}));
tried('serialize', () => v8.deserialize(v8.serialize({ a: [1n] })));
tried('serialize a function', () => v8.serialize(() => {}));
tried('deserialize nonsense', () => v8.deserialize(Buffer.from('x')));
tried('getHeapSnapshot', () => {
  const stream = v8.getHeapSnapshot();
  const { name } = stream.constructor;
  stream.destroy();
  return name;
});
tried('writeHeapSnapshot', () => v8.writeHeapSnapshot(at('heap')));
tried('Atomics.wait', () => [Atomics.wait(shared, 0, 0, 1), Atomics.wait(shared, 0, 1, 1)]);
tried('Atomics.wait on nothing', () => Atomics.wait());
tried('Atomics.wait is no constructor', () => new Atomics.wait(shared, 0, 0, 1));

fs.rmSync(folder, { recursive: true });
tell(JSON.parse, '[native code]');
