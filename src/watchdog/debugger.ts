import type inspector from 'node:inspector';
import nodeModule from 'node:module';

let module: typeof inspector | undefined;

/**
 * Whether a debugger may be attached to this process (`--inspect`). Its pause looks like a call that waits: the thread
 * sleeps in the midst of JavaScript.
 */
export function isDebuggerListening(): boolean {
  try {
    // Node can be built without the inspector. No `createRequire` of our own at the top of a bundle: bundles of ESM often
    // have one in their banner.
    module ??= nodeModule.createRequire(import.meta.url)('node:inspector') as typeof inspector;
    return module.url() !== undefined;
  } catch {
    return false;
  }
}
