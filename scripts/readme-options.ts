/** Writes the README's table of options from the code: `npx tsx scripts/readme-options.ts`. A test holds the two together. */
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { pathToFileURL } from 'node:url';
import { acceptedValues, OPTIONS } from '../src/config.ts';

const README = new URL('../README.md', import.meta.url);
const TABLE = /(<!-- options: scripts\/readme-options\.ts -->\n)[\s\S]*?(<!-- end of options -->)/;

export function optionsTable(): string {
  const rows = OPTIONS.map(
    (option) =>
      `| \`${option.name}\` | ${JSON.stringify(option.default)} | ${acceptedValues(option)} | \`${option.env}\` | ${option.meaning} |`,
  );
  return [
    '| option | default | accepts | environment | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

/** The README with the table as the code has it. */
export function withOptions(readme: string): string {
  return readme.replace(TABLE, (_, begin: string, end: string) => `${begin}\n${optionsTable()}\n${end}`);
}

if (argv[1] && import.meta.url === pathToFileURL(argv[1]).href) {
  writeFileSync(README, withOptions(readFileSync(README, 'utf8')));
}
