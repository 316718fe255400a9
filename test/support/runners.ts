import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack } from './pack.ts';

/** A test runner in a dependency tree of its own, with the packed tarball: as in a user's project. */
export interface Runner {
  /** For node:test's `skip` option: false, or why it is not there. */
  skip: false | string;
  folder: string;
  /** The script of its command line. */
  bin: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const BINS = { vitest: 'vitest/vitest.mjs', jest: 'jest/bin/jest.js' };

/** Once a test file: installs test/runners/NAME where it is not yet, and the package as it is now. */
export function runner(name: keyof typeof BINS): Runner {
  const folder = join(root, 'test/runners', name);
  const bin = join(folder, 'node_modules', BINS[name]);
  return { skip: install(folder, bin), folder, bin };
}

function install(folder: string, bin: string): false | string {
  try {
    if (!existsSync(bin)) {
      const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      execFileSync('npm', ['ci', ...quiet], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    }
  } catch {
    return `it is not installed: npm ci --prefix ${folder.slice(root.length)}`;
  }
  installPackage(join(folder, 'node_modules/loopblame'));
  return false;
}

/** Its dependencies are found further up, in the root's node_modules. */
function installPackage(folder: string): void {
  const packed = mkdtempSync(join(tmpdir(), 'loopblame-runners-'));
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    execFileSync('tar', ['-xzf', pack(packed).tarball, '--strip-components=1', '-C', folder]);
  } finally {
    rmSync(packed, { recursive: true });
  }
}
