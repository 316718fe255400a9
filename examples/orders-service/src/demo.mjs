import { mkdirSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { home, out } from './children.mjs';
import { findings } from './report/findings.mjs';
import { page } from './report/html.mjs';
import { terminal } from './report/terminal.mjs';
import { run, tracesFile } from './run.mjs';
import { settings } from './settings.mjs';
import { stage } from './stage.mjs';

await stage(async (say) => {
  const modes = await run(say);
  say('Reading the traces');
  const found = findings(modes, home);
  mkdirSync(out, { recursive: true });
  writeFileSync(`${out}result.json`, `${JSON.stringify(found, null, 2)}\n`);
  writeFileSync(`${out}report.html`, page(found, modes, { settings, home }));
  return [
    terminal(found),
    '',
    `The picture of it: ${out}report.html`,
    `The same as data:  ${relative(process.cwd(), `${out}result.json`)}`,
    `Its traces:        npx loopblame forecast ${relative(process.cwd(), tracesFile)}`,
  ].join('\n');
});
