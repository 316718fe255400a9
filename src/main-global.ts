import { runInThisContext } from 'node:vm';

/**
 * The global object of this thread's main context: another one than `globalThis` where this package is loaded in a context
 * of its own, as Jest does.
 */
export const mainGlobal: object = runInThisContext('globalThis');
