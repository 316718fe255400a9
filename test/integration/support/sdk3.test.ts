import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sdk3 } from '../../support/sdk3.ts';

const { skip, program } = sdk3();
const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('the tree of the 3.x line', { skip }, () => {
  it("gives the package's own dependencies of that line", () => {
    const require = createRequire(join(program.packageFolder, 'dist/index.js'));
    const version = (name: string) => {
      const home = require.resolve(name).replace(/(?<=\/node_modules\/@opentelemetry\/[^/]+\/).*/, '');
      return JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')).version;
    };
    assert.match(version('@opentelemetry/instrumentation'), /^0\.301\./);
    assert.match(version('@opentelemetry/api'), /^1\.10\./);
    assert.match(version('@opentelemetry/sdk-node'), /^0\.301\./);
  });

  it('has the package as it was built just now', () => {
    for (const file of ['dist/index.js', 'dist/register.cjs', 'package.json']) {
      assert.equal(
        readFileSync(join(program.packageFolder, file), 'utf8'),
        readFileSync(join(root, file), 'utf8'),
        file,
      );
    }
  });

  it('runs on a Node that the line supports', () => {
    const { stdout } = spawnSync(program.node, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = stdout.split('.').map(Number);
    assert.ok(major > 22 || (major === 22 && minor >= 15), stdout);
  });
});
