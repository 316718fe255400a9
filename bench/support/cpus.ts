import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** Why a process can't be held on one CPU here, if it can't. */
export function pinningIsMissing(): false | string {
  if (spawnSync('taskset', ['-V']).error) return 'taskset (util-linux) is not installed';
  return availableParallelism() > 1 ? false : 'there is one CPU alone, for the service and for its load';
}

/** The CPU of the measured process; everything else is sent to the others by {@link leaveToService}. */
export const SERVICE_CPU = 0;

/** Moves this process, and what it starts from now on, off the service's CPU; returns how to undo that. */
export function leaveToService(): () => void {
  const count = availableParallelism();
  const move = (cpus: string): void => {
    spawnSync('taskset', ['-a', '-p', '-c', cpus, String(process.pid)], { stdio: 'ignore' });
  };
  move(`${SERVICE_CPU + 1}-${count - 1}`);
  return () => move(`0-${count - 1}`);
}
