/**
 * npm test [-- FILTER…]: builds the package, then runs the test files whose path contains one of the filters (all
 * without). Skipped tests are listed by name, and where CI is set one skipped test is a failure.
 *
 * `--no-build` tests dist as it is. A filter that is an existing file is run even if it is not named like a test.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cleanEnv } from './support/env.ts';
import { installNode24 } from './support/nodes.ts';
import { runSuite, type SuiteResult } from './support/suite.ts';

const FOLDERS = ['unit', 'integration', 'package', 'e2e'];

const { positionals: filters, values: flags } = parseArgs({
  allowPositionals: true,
  options: { 'no-build': { type: 'boolean', default: false } },
});
const inCi = !['', '0', 'false'].includes(process.env['CI'] ?? '');

const callersFolder = process.cwd();
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
replaceEnvironment(cleanEnv());

const files = filters.length === 0 ? allTestFiles() : [...new Set(filters.flatMap(filesFor))];
if (files.length === 0) {
  console.error(`No test file's path contains ${filters.join(' or ')}`);
  process.exit(1);
}
if (!flags['no-build']) execFileSync('npm', ['run', '--silent', 'build'], { stdio: ['ignore', 'inherit', 'inherit'] });
installNode24();

const result = await runSuite(files);
report(result);
process.exitCode = result.failed > 0 || (inCi && result.skipped.length > 0) ? 1 : 0;

function allTestFiles(): string[] {
  return FOLDERS.flatMap((folder) => {
    const home = join('test', folder);
    const inside = statSync(home, { throwIfNoEntry: false }) ? readdirSync(home, { recursive: true }) : [];
    return inside
      .map((file) => join(home, String(file)))
      .filter((file) => file.endsWith('.test.ts'))
      .sort();
  });
}

function filesFor(filter: string): string[] {
  const exact = resolve(callersFolder, filter);
  if (statSync(exact, { throwIfNoEntry: false })?.isFile()) return [exact];
  return allTestFiles().filter((file) => file.includes(filter));
}

/** The test files inherit it: node:test's run() cannot be given another one on Node 20. */
function replaceEnvironment(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
}

function report({ passed, failed, skipped }: SuiteResult): void {
  if (skipped.length > 0) {
    console.log(`\nSkipped${inCi ? ', which is a failure in CI' : ''}:`);
    for (const { file, name, reason } of skipped) console.log(`  ${file}: ${name}\n    ${reason}`);
  }
  console.log(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped`);
}
