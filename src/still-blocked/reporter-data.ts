import { now } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import { warnOnce } from '../log.ts';
import { loopThread } from '../loop-thread.ts';
import { isGranted } from '../permission.ts';
import { VERSION } from '../version.ts';
import type { ReporterData } from './reporter.ts';
import { ownResource } from './resource.ts';
import { type ExportSettings, exportSettings } from './settings.ts';

function granted(settings: ExportSettings): ExportSettings {
  if (isGranted('net')) return settings;
  const problem = 'a loop that is still blocked is not reported: the permission model does not grant the network';
  return { ...settings, logs: undefined, metrics: undefined, problems: [problem] };
}

/** What the thread needs to speak for the loop; `undefined` where it is to be silent. */
export function reporterData(config: ResolvedConfig, stamps: SharedArrayBuffer): ReporterData | undefined {
  const { stillBlockedAfterMs, stderr, startupGraceMs } = config;
  if (stillBlockedAfterMs === 0) return undefined;
  const { env } = process;
  const exports = granted(exportSettings(env));
  for (const problem of exports.problems) warnOnce(problem, problem);
  return {
    stamps,
    afterMs: stillBlockedAfterMs,
    stderr,
    exports,
    resource: ownResource(env),
    version: VERSION,
    thread: loopThread,
    startsUntil: now() + startupGraceMs,
  };
}
