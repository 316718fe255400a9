#!/usr/bin/env node
/**
 * Native clients take minutes to compile, and npm's own cache keeps only their sources. This keeps the built files in a
 * folder outside the clone, so that each version is compiled once a machine:
 *
 *     npm install --ignore-scripts && node scripts/native.mjs [folder]
 *
 * `folder` is the package whose node_modules are completed (default: the working directory). A client that is not
 * installed there is passed over. LOOPBLAME_NATIVE_CACHE moves the cache from ~/.cache/loopblame-native.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Each client's files that a build makes and `require` needs. Links are followed: the cache holds whole files. */
const BUILT_FILES = {
  'node-rdkafka': ['build/Release/node-librdkafka.node', 'build/deps/librdkafka.so.1', 'build/deps/librdkafka++.so.1'],
  'better-sqlite3': ['build/Release/better_sqlite3.node'],
};

const folder = resolve(process.argv[2] ?? '.');
const cacheFolder = process.env.LOOPBLAME_NATIVE_CACHE ?? join(homedir(), '.cache', 'loopblame-native');

for (const [name, files] of Object.entries(BUILT_FILES)) {
  const home = join(folder, 'node_modules', name);
  if (!existsSync(home)) continue;
  const kept = join(cacheFolder, cacheKey(name, home));
  const start = Date.now();
  const how = restore(name, home, kept, files) ? 'restored' : build(name, home, kept, files);
  console.log(`${how} ${kept} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
}

// npm trusts its record of what is installed only while no package is newer. Without it, it reads each package.json, finds
// node-rdkafka's "v3.6.1" to be another version than 3.6.1, and the next `npm install` replaces and compiles it again.
const npmsRecord = join(folder, 'node_modules', '.package-lock.json');
if (existsSync(npmsRecord)) utimesSync(npmsRecord, new Date(), new Date());

/** Everything that makes a build unusable elsewhere stands in its folder's name. */
function cacheKey(name, home) {
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const libc = process.report.getReport().header.glibcVersionRuntime;
  const system = libc ? `glibc${libc}` : process.platform;
  return `${name}-${version}-abi${process.versions.modules}-${process.arch}-${system}`;
}

function restore(name, home, kept, files) {
  if (!files.every((file) => existsSync(join(kept, file)))) return false;
  for (const file of files) cpSync(join(kept, file), join(home, file));
  if (loads(name)) return true;
  // a copy that was cut short, or made for another machine: build again rather than fail for ever
  rmSync(kept, { recursive: true, force: true });
  return false;
}

function build(name, home, kept, files) {
  try {
    execFileSync('npm', ['rebuild', name, '--foreground-scripts'], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, JOBS: String(availableParallelism()) },
    });
  } catch {
    fail(
      `${name} did not compile: it needs a C++ compiler, make and python3 (Debian: apt-get install g++ make python3)`,
    );
  }
  if (!loads(name)) fail(`${name} was compiled in ${home} but cannot be loaded by ${process.execPath}`);
  const unfinished = `${kept}.${process.pid}`;
  for (const file of files) cpSync(join(home, file), join(unfinished, file), { dereference: true });
  try {
    // renaming is atomic: nobody restores half a build, and of two that build at once one wins
    renameSync(unfinished, kept);
  } catch {
    rmSync(unfinished, { recursive: true });
  }
  return 'built';
}

/** In a process of its own: two clients may carry the same library, and the first to load would serve both. */
function loads(name) {
  return spawnSync(process.execPath, ['-e', `require(${JSON.stringify(name)})`], { cwd: folder }).status === 0;
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
