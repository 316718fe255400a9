import { constants } from 'node:os';
import { replaceMethod, type Undo } from '../wrap.ts';

/** Signals that end a process which does not listen for them. */
const ENDING = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGKILL', 'SIGTERM'] as const;

/**
 * Calls `prepare` before `process.kill()` ends its own process. Node runs its last hooks then, without an `exit` event,
 * and would say that it waits for a debugger if a stack was being sampled. That is how a process ends after a signal that
 * it has cleaned up for. `survived` is called where it runs on all the same, as process 1 of a container does.
 */
export function beforeSelfKill(prepare: () => void, survived: () => void): Undo | undefined {
  return replaceMethod(process, 'kill', (kill) => {
    return function (this: unknown, ...args: unknown[]) {
      if (endsThisProcess(args)) {
        prepare();
        setImmediate(survived).unref();
      }
      return Reflect.apply(kill, this, args);
    };
  });
}

function endsThisProcess([pid, signal = 'SIGTERM']: unknown[]): boolean {
  if (pid !== process.pid) return false;
  const name = ENDING.find((ending) => signal === ending || signal === constants.signals[ending]);
  return name !== undefined && process.listenerCount(name) === 0;
}
