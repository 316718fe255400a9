import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { currentNode, node24 } from './nodes.ts';
import { pack } from './pack.ts';

/**
 * The 3.x line of the OpenTelemetry SDK with the packed tarball, in a dependency tree of its own: installed beside the
 * root's 2.x, the library's own dependencies would be shared and nothing would be shown.
 */
export interface Sdk3 {
  /** For node:test's `skip` option: false, or why there is none. */
  skip: false | string;
  /** For runProgram: test/programs in that tree, run by a Node that the line supports. */
  program: { folder: string; packageFolder: string; node: string };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = join(root, 'test/lines/sdk3');
const home = join(root, '.cache/sdk3');

let installed: Sdk3 | undefined;

/** Installs the tree where it is not yet, and the package and the programs as they are now. */
export function sdk3(): Sdk3 {
  installed ??= { skip: install(), program: programOptions() };
  return installed;
}

function programOptions(): Sdk3['program'] {
  const node = supported(process.versions.node) ? currentNode : node24;
  return {
    folder: join(home, 'programs'),
    packageFolder: join(home, 'node_modules/loopblame'),
    node: node.execPath,
  };
}

function install(): false | string {
  if (!supported(process.versions.node) && node24.skip) return `OpenTelemetry 3.x needs Node 22.15: ${node24.skip}`;
  try {
    installDependencies();
    installPackage();
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    return `OpenTelemetry 3.x could not be installed: ${error instanceof Error ? error.message : error}`;
  }
  rmSync(join(home, 'programs'), { recursive: true, force: true });
  if (existsSync(join(root, 'test/programs')))
    cpSync(join(root, 'test/programs'), join(home, 'programs'), { recursive: true });
  return false;
}

function installDependencies(): void {
  const files = ['package.json', 'package-lock.json'];
  const same = (file: string) =>
    existsSync(join(home, file)) && readFileSync(join(home, file)).equals(readFileSync(join(manifest, file)));
  if (files.every(same) && existsSync(join(home, 'node_modules'))) return;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  copyFileSync(join(manifest, 'package-lock.json'), join(home, 'package-lock.json'));
  copyFileSync(join(manifest, 'package.json'), join(home, 'package.json'));
  npm('ci');
}

function installPackage(): void {
  // npm takes an installed package of the same version for the same package
  rmSync(join(home, 'node_modules/loopblame'), { recursive: true, force: true });
  npm('install', '--no-save', '--no-package-lock', pack(home).tarball);
}

function npm(...args: string[]): void {
  // no engine warnings: the Node that runs npm need not be the one that runs the programs
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', [...args, ...quiet], { cwd: home, stdio: ['ignore', 'ignore', 'inherit'] });
}

function supported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 15);
}
