import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { optionsTable, withOptions } from '../../scripts/readme-options.ts';
import * as semconv from '../../src/semconv.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const names = Object.entries(semconv)
  .filter(([constant]) => /^(ATTR|EVENT|SPAN|METRIC)_/.test(constant))
  .map(([, name]) => name as string);

test('the table of options is that of the code (npx tsx scripts/readme-options.ts)', () => {
  assert.ok(readme.includes(optionsTable()));
  assert.equal(withOptions(readme), readme);
});

test('every name that the code writes stands in the README', () => {
  const missing = names.filter((name) => !readme.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});

test('every name in the README is one that the code writes', () => {
  const written = new Set(names);
  const named = [...readme.matchAll(/`(event_loop\.[a-z_.]*[a-z])`/g)].map(([, name]) => name!);
  assert.ok(named.length > 30, 'the test reads the tables');
  assert.deepEqual(
    named.filter((name) => !written.has(name)),
    [],
  );
});
