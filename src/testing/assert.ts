import { now } from '../clock.ts';
import { findingOf } from './finding.ts';
import { type LoopCheckOptions, resolveOptions } from './options.ts';
import { acquireWatch, releaseWatch } from './shared-watch.ts';

const DEFAULT_MAX_MS = 20;

/**
 * Runs `fn`, waits for it, and rejects when it held the event loop for longer than `maxMs` in one go. No SDK is needed.
 *
 * ```js
 * const report = await assertLoopNotBlocked(() => buildReport(orders), { maxMs: 50 });
 * ```
 *
 * What counts is the code's own time: not that for which the machine gave it no CPU, the process was stopped or garbage
 * was collected (a line says so instead), nor what runs in `allowBlocking`. Many callbacks in one turn of the loop count
 * together, as those who wait have it; other code that runs meanwhile counts too.
 *
 * @returns what `fn` returns; where `fn` throws or rejects, that very error, whether the loop was held or not
 * @throws {LoopBlockedError} with how long, which function, file and line, why, and the stack of the code that held the loop
 * @throws {TypeError} when `fn` is no function or an option is not accepted; then `fn` is not called
 * @since 0.1.0
 */
export async function assertLoopNotBlocked<T>(fn: () => T, options: LoopCheckOptions = {}): Promise<Awaited<T>> {
  if (typeof fn !== 'function') throw new TypeError('assertLoopNotBlocked: fn must be a function');
  const { maxMs, onRemark } = resolveOptions('assertLoopNotBlocked', options, DEFAULT_MAX_MS);
  const watch = await acquireWatch();
  try {
    await watch.nextTurn();
    const from = now();
    // Where it fails, that is what the test is to say: nothing that was found is to stand in its way.
    const result = await fn();
    const holds = await watch.holdsSince(from);
    const { error, remarks } = findingOf(holds, from, now(), maxMs);
    for (const remark of remarks) onRemark(remark);
    if (error) throw error;
    return result;
  } finally {
    releaseWatch();
  }
}
