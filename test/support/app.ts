import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pack } from './pack.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the package cannot do without. */
export const REQUIRED = ['@opentelemetry/api', '@opentelemetry/instrumentation'];

/** An application outside of the repository, where nothing of the repository is found by looking upwards. */
export interface App {
  folder: string;
  write(path: string, text: string): void;
  remove(): void;
}

export interface AppOptions {
  /** By path. */
  files: Record<string, string>;
  /** Packages of the working tree that it has installed. */
  packages: string[];
  /** Where the packed package is: a copy, as npm installs it, or a link to another folder, as `npm link` makes it. */
  loopblame?: 'copy' | 'link';
}

export function makeApp({ files, packages, loopblame = 'copy' }: AppOptions): App {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'loopblame-app-')));
  const folder = join(home, 'app');
  const place = join(home, loopblame === 'copy' ? 'app' : 'elsewhere');
  unpack(home, join(place, 'node_modules/loopblame'));
  link(packages, folder);
  if (loopblame === 'link') {
    link(REQUIRED, place);
    symlinkSync(join(place, 'node_modules/loopblame'), join(folder, 'node_modules/loopblame'));
  }
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const [path, text] of Object.entries(files)) write(path, text);
  return { folder, write, remove: () => rmSync(home, { recursive: true }) };
}

function unpack(home: string, into: string): void {
  mkdirSync(into, { recursive: true });
  execFileSync('tar', ['-xzf', pack(home).tarball, '--strip-components=1', '-C', into]);
}

function link(packages: readonly string[], folder: string): void {
  for (const name of packages) {
    const path = join(folder, 'node_modules', name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), path);
  }
}
