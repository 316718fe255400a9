import timers from 'node:timers';
import { setTestWatch } from '../active.ts';
import { warnOnce } from '../log.ts';
import { LoopWatch } from './watch.ts';

/** A watch is kept for a while: the next test wants it as well, and its thread takes longer to start than most tests. */
const LINGER_MS = 1_000;

const { clearTimeout, setTimeout } = timers;

let watch: LoopWatch | undefined;
let started: Promise<void> | undefined;
let users = 0;
let stopping: NodeJS.Timeout | undefined;

/** The watch of this thread's loop, started where there is none. Whoever gets it gives it back by {@link releaseWatch}. */
export async function acquireWatch(): Promise<LoopWatch> {
  users++;
  clearTimeout(stopping);
  if (!watch) {
    watch = new LoopWatch();
    setTestWatch(watch);
    started = watch.start();
  }
  const acquired = watch;
  await started;
  return acquired;
}

export function releaseWatch(): void {
  if (--users > 0) return;
  // A test runner may throw this module away with the test file, and load it anew for the next one.
  stopping = setTimeout(stop, LINGER_MS).unref();
}

function stop(): void {
  try {
    watch?.stop();
  } catch (error) {
    warnOnce('testing', 'the watch on the loop did not stop', error);
  }
  setTestWatch(undefined);
  watch = undefined;
}
