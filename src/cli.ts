#!/usr/bin/env node
import { main } from './cli/main.ts';

main(process.argv.slice(2), { out: process.stdout, err: process.stderr, stdin: process.stdin }).then((code) => {
  process.exitCode = code;
});
