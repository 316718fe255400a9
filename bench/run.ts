/**
 * npm run bench [-- NAME… [--quick] [--node PATH]]: builds the package and measures it: the benches of those names, all
 * without. `--quick` is a smoke run, whose figures say nothing.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cleanEnv } from '../test/support/env.ts';
import { accuracy } from './accuracy.ts';
import { call } from './call.ts';
import { footprint } from './footprint.ts';
import { service } from './service.ts';
import { stall } from './stall.ts';
import type { Bench } from './support/bench.ts';
import { format } from './support/table.ts';

const BENCHES: Readonly<Record<string, Bench>> = { accuracy, service, call, footprint, stall };

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, node: { type: 'string', default: process.execPath } },
});
const unknown = positionals.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  console.error(`No bench is called ${unknown.join(' or ')}: there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(1);
}
const { quick } = values;
// programs are started in folders of their own
const node = values.node.includes('/') ? resolve(values.node) : values.node;
const version = spawnSync(values.node, ['--version'], { encoding: 'utf8', env: cleanEnv() }).stdout?.trim();
if (!version) {
  console.error(`${node} is no Node.js`);
  process.exit(1);
}
const say = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
};
for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHES)) {
  const table = await BENCHES[name]!({ quick, node, say });
  say('');
  console.log(format({ ...table, conditions: [`Node ${version.slice(1)}`, ...table.conditions] }));
}
