import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../scripts/native.mjs', import.meta.url));

describe('scripts/native.mjs', () => {
  let folder: string;
  let app: string;
  let cache: string;
  const built = () => join(app, 'node_modules/better-sqlite3/build/Release/better_sqlite3.node');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'loopblame-native-'));
    app = join(folder, 'app');
    cache = join(folder, 'cache');
    installClient('mkdir -p build/Release && echo compiled >> build/Release/better_sqlite3.node');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A client by the name of a real one: it is "compiled" by its install script, and loads only what that makes. */
  function installClient(install: string) {
    const home = join(app, 'node_modules/better-sqlite3');
    rmSync(app, { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    writeFileSync(join(app, 'package.json'), '{"dependencies":{"better-sqlite3":"1.2.3"}}');
    const manifest = { name: 'better-sqlite3', version: '1.2.3', scripts: { install } };
    writeFileSync(join(home, 'package.json'), JSON.stringify(manifest));
    const load = `const text = require('fs').readFileSync(__dirname + '/build/Release/better_sqlite3.node', 'utf8');
      if (!/^(compiled\\n)+$/.test(text)) throw new Error('not loadable');`;
    writeFileSync(join(home, 'index.js'), load);
  }

  function run() {
    const env = { ...process.env, LOOPBLAME_NATIVE_CACHE: cache };
    return spawnSync(process.execPath, [script, app], { env, encoding: 'utf8' });
  }

  it('builds once, and restores the build into the next installation', () => {
    assert.match(run().stdout, /^built /);
    installClient('exit 1');
    const { status, stdout } = run();
    assert.match(stdout, /^restored /);
    assert.equal(status, 0);
    assert.equal(readFileSync(built(), 'utf8'), 'compiled\n');
  });

  it('keeps builds apart by version, ABI, architecture and C library', () => {
    run();
    const libc = (process.report.getReport() as { header: { glibcVersionRuntime?: string } }).header
      .glibcVersionRuntime;
    const system = libc ? `glibc${libc}` : process.platform;
    assert.deepEqual(readdirSync(cache), [
      `better-sqlite3-1.2.3-abi${process.versions.modules}-${process.arch}-${system}`,
    ]);
  });

  it('replaces a kept build that does not load', () => {
    run();
    const [key] = readdirSync(cache);
    writeFileSync(join(cache, key!, 'build/Release/better_sqlite3.node'), 'cut sho');
    installClient('mkdir -p build/Release && echo compiled > build/Release/better_sqlite3.node');
    assert.match(run().stdout, /^built /);
    assert.match(run().stdout, /^restored /);
  });

  it('says in one sentence what a failed compile needs, and keeps nothing', () => {
    installClient('exit 1');
    const { status, stderr } = run();
    assert.equal(status, 1);
    assert.match(stderr, /^better-sqlite3 did not compile: it needs a C\+\+ compiler, make and python3/m);
    assert.equal(existsSync(cache), false);
  });

  it('does not keep a build that does not load', () => {
    installClient('mkdir -p build/Release && echo garbage > build/Release/better_sqlite3.node');
    const { status, stderr } = run();
    assert.equal(status, 1);
    assert.match(stderr, /was compiled in .* but cannot be loaded/);
    assert.equal(existsSync(cache), false);
  });

  it('passes over clients that are not installed', () => {
    rmSync(join(app, 'node_modules'), { recursive: true });
    const { status, stdout } = run();
    assert.equal(status, 0);
    assert.equal(stdout, '');
  });
});
