#!/usr/bin/env node
/**
 * Builds dist/. npm runs this after an install here and before packing, and also when it links another package to this
 * folder, as it does for the examples: in a fresh clone nothing is installed here by then, and the build's tools are missing.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const modules = join(home, 'node_modules');

if (!existsSync(join(modules, 'tsdown'))) {
  npm('install', '--ignore-scripts', '--no-audit', '--no-fund');
  // What has to be compiled is not, and takes minutes: the next install here is to find it missing and see to it.
  for (const name of ['node-rdkafka', 'better-sqlite3']) rmSync(join(modules, name), { recursive: true, force: true });
  rmSync(join(modules, '.package-lock.json'), { force: true });
}
npm('run', 'build');

function npm(...args) {
  execFileSync('npm', ['--prefix', home, ...args], {
    cwd: home,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
}
