import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { cleanEnv } from '../support/env.ts';
import { nodes } from '../support/nodes.ts';
import { pack } from '../support/pack.ts';

const SIZE_BUDGET_BYTES = 800_000;

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Outside of the repository: nothing of it can be found by looking upwards. */
const home = mkdtempSync(join(tmpdir(), 'loopblame-shape-'));
const { tarball, files, unpackedBytes } = pack(home);
const app = appWithPackage();

/** An application that has the tarball's content and the dependencies of the working tree installed. */
function appWithPackage(): string {
  const folder = join(home, 'app');
  const modules = join(folder, 'node_modules');
  cpSync(join(root, 'test/package/fixtures'), folder, { recursive: true });
  mkdirSync(join(modules, 'loopblame'), { recursive: true });
  succeeds('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'loopblame')]);
  for (const name of ['@opentelemetry', '@types', 'undici-types']) {
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  return folder;
}

function succeeds(command: string, args: string[], cwd = root): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env: cleanEnv(), encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}${error ?? ''}`);
  return stdout;
}

/** The application, the SDK and the package in one file, where there are no node_modules. */
function bundle(file: string): string {
  const outfile = join(home, file);
  const format = file.endsWith('.mjs') ? 'esm' : 'cjs';
  buildSync({
    absWorkingDir: app,
    entryPoints: ['blames.mjs'],
    outfile,
    bundle: true,
    platform: 'node',
    format,
    logLevel: 'error',
    // what esbuild makes of CommonJS dependencies calls require
    ...(format === 'esm' && {
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    }),
  });
  return outfile;
}

const bin = (name: string) => join(root, 'node_modules/.bin', name);

describe('the packed package', () => {
  after(() => rmSync(home, { recursive: true }));

  it('satisfies publint', () => {
    succeeds(bin('publint'), ['run', '--strict', tarball]);
  });

  it('gives the right types to every kind of import (attw)', () => {
    succeeds(bin('attw'), ['--profile', 'node16', '--no-color', tarball]);
  });

  it('holds what is published and nothing else', () => {
    const others = files.filter((file) => !/^dist\/[\w.-]+\.(js|cjs|d\.ts|d\.cts)$/.test(file));
    assert.deepEqual(
      others.filter((file) => !['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'].includes(file)),
      [],
    );
    const entries = [
      'index',
      'register',
      'cli',
      'forecast',
      'testing',
      'testing-jest',
      'testing-node-test',
      'testing-vitest',
    ];
    for (const file of ['LICENSE', ...entries.flatMap((name) => [`dist/${name}.js`, `dist/${name}.cjs`])]) {
      assert.ok(files.includes(file), file);
    }
  });

  it(`unpacks to less than ${SIZE_BUDGET_BYTES} bytes`, () => {
    assert.ok(unpackedBytes < SIZE_BUDGET_BYTES, `${unpackedBytes} bytes`);
  });

  it('is the same to ESM and to CommonJS', () => {
    const names = (file: string) => succeeds(process.execPath, [file], app);
    assert.equal(names('names.mjs'), names('names.cjs'));
  });

  for (const node of nodes) {
    for (const file of ['blames.mjs', 'blames.cjs', 'bundled/app.mjs', 'bundled/app.cjs']) {
      it(`starts its thread from ${file} on ${node.name}`, { skip: node.skip }, () => {
        const program = file.startsWith('bundled') ? bundle(file) : file;
        // the thread's samples name the function, and nothing else can
        assert.equal(succeeds(node.execPath, [program], app), 'burn\n');
      });
    }
  }

  it('has a command', () => {
    const installed = join(app, 'node_modules/loopblame');
    const { version, bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    const command = join(installed, bin.loopblame);
    assert.match(readFileSync(command, 'utf8'), /^#!\/usr\/bin\/env node\n/);
    assert.equal(succeeds(process.execPath, [command, '--version']), `${version}\n`);
    assert.match(succeeds(process.execPath, [command, 'forecast', '--help']), /^Usage: loopblame forecast/);
    const unknown = spawnSync(process.execPath, [command, 'forcast'], { env: cleanEnv(), encoding: 'utf8' });
    assert.deepEqual([unknown.status, unknown.stderr], [2, 'loopblame: forcast is no command; see loopblame --help\n']);
  });

  it('type-checks from ESM and from CommonJS, with its declarations checked too', () => {
    succeeds(bin('tsc'), ['-p', 'tsconfig.json'], app);
  });
});
