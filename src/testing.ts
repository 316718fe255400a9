export { assertLoopNotBlocked } from './testing/assert.ts';
export { LoopBlockedError } from './testing/error.ts';
export type { LoopCheckOptions } from './testing/options.ts';
export { failOnBlockedLoop, type TestHooks } from './testing/suite.ts';
