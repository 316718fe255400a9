import type { Undo } from '../wrap.ts';
import type { ExportedPatch, Patch, StartPatch } from './define.ts';
import { patchEvents } from './events.ts';
import type { ClientTools } from './tools.ts';

/** Applies one line of a client's table to the exports that it is for; returns how to undo each replacement. */
export function applied(
  patch: Exclude<Patch, ExportedPatch | StartPatch>,
  exports: unknown,
  tools: ClientTools,
): (Undo | undefined)[] {
  if ('patch' in patch) return patch.patch(exports, tools);
  if ('events' in patch) return patchEvents(tools, patch.of(exports), patch.events);
  return tools.patchCalls(patch.of(exports), patch.calls, patch);
}
