import { isMainThread, threadId } from 'node:worker_threads';
import { now } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { warnOnce } from '../log.ts';
import { VERSION } from '../version.ts';
import type { ReporterData } from './reporter.ts';
import { ownResource } from './resource.ts';
import { exportSettings } from './settings.ts';

/** What the thread needs to speak for the loop; `undefined` where it is to be silent. */
export function reporterData(config: ResolvedConfig, stamps: SharedArrayBuffer): ReporterData | undefined {
  const { stillBlockedAfterMs, stderr, startupGraceMs } = config;
  if (stillBlockedAfterMs === 0) return undefined;
  const { env } = process;
  const exports = exportSettings(env);
  for (const problem of exports.problems) warnOnce(problem, problem);
  return {
    stamps,
    afterMs: stillBlockedAfterMs,
    stderr,
    exports,
    resource: ownResource(env),
    version: VERSION,
    thread: { id: threadId, name: isMainThread ? 'main' : `worker ${threadId}` },
    startsUntil: now() + startupGraceMs,
  };
}
