/**
 * node:test: each test that holds the event loop for over 50 ms (or `LOOPBLAME_TEST_MAX_MS`) fails, and its failure shows who.
 *
 *     node --import loopblame/testing/node-test --test
 */
import { after, afterEach, before, beforeEach } from 'node:test';
import { failOnBlockedLoop } from './suite.ts';

/**
 * The file's own process inherits --import from the runner, and gives it on to whatever it forks. Only the first of them runs
 * tests: hooks in the runner, or in a program that is tested, would make them report tests of their own.
 */
const MARK = 'LOOPBLAME_TEST_CONTEXT';
const context = process.env['NODE_TEST_CONTEXT'] ?? 'main';
const isRunner = context === 'main' && process.execArgv.includes('--test') && !isWithoutIsolation();

if (!isRunner && process.env[MARK] !== context) {
  process.env[MARK] = context;
  failOnBlockedLoop({ before, beforeEach, afterEach, after });
}

/** Then the runner's process runs the tests itself. */
function isWithoutIsolation(): boolean {
  return process.execArgv.some((arg) => /^--(experimental-)?test-isolation=none$/.test(arg));
}
