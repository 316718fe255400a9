/**
 * Jest: each test that holds the event loop for over 50 ms (or `LOOPBLAME_TEST_MAX_MS`) fails, and its failure shows who.
 *
 * ```js
 * // jest.config.js
 * export default { setupFilesAfterEnv: ['loopblame/testing/jest'] };
 * ```
 */
// Jest has these in any test, installed or not.
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { failOnBlockedLoop } from './suite.ts';

failOnBlockedLoop({ beforeAll, beforeEach, afterEach, afterAll });
