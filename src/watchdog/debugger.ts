import type inspector from 'node:inspector';

let module: typeof inspector | undefined;

/** Loads what tells of a debugger: ahead of time, since the question is asked in the midst of a blocked loop's code. */
export function prepareDebuggerCheck(): void {
  void import('node:inspector').then(
    (loaded) => {
      module = loaded;
    },
    () => {}, // Node can be built without the inspector
  );
}

/**
 * Whether a debugger may be attached to this process (`--inspect`). Its pause looks like a call that waits: the thread
 * sleeps in the midst of JavaScript.
 */
export function isDebuggerListening(): boolean {
  return module?.url() !== undefined;
}
