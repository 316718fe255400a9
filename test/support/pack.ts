import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Packed {
  /** The tarball's path. */
  tarball: string;
  files: string[];
  unpackedBytes: number;
}

/** The package as it would be published: dist as it was built before the tests. */
export function pack(intoFolder: string): Packed {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', intoFolder];
  const [packed] = JSON.parse(
    execFileSync('npm', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  return {
    tarball: join(intoFolder, packed.filename),
    files: packed.files.map(({ path }: { path: string }) => path),
    unpackedBytes: packed.unpackedSize,
  };
}
