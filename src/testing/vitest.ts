/**
 * Vitest: each test that holds the event loop for over 50 ms (or `LOOPBLAME_TEST_MAX_MS`) fails, and its failure shows who.
 *
 * ```js
 * // vitest.config.js
 * export default { test: { setupFiles: ['loopblame/testing/vitest'] } };
 * ```
 */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { failOnBlockedLoop } from './suite.ts';

failOnBlockedLoop({ beforeAll, beforeEach, afterEach, afterAll });
