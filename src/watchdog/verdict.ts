import type { Cause } from '../semconv.ts';
import type { SleepsIn } from './thread-state.ts';

/** What is known of a stall's time, in milliseconds. */
export interface StallEvidence {
  /** Length of the window that the other figures belong to. */
  readonly wall: number;
  /** CPU time of the loop's thread in it; `undefined` where the system does not tell. */
  readonly run?: number | undefined;
  /** Time that the loop's thread was runnable, but got no CPU; `undefined` where the system does not tell. */
  readonly queue?: number | undefined;
  /** For how long a quota kept the process's cgroup from its CPUs; `undefined` where there is none. */
  readonly throttled?: number;
  /** Garbage collection in it; `undefined` while that is not reported yet (some turns later). */
  readonly gc?: number | undefined;
  /**
   * What the loop, when asleep, was last seen to wait for: another thread (a call's, or a helper of the garbage
   * collector), or a system call that no other thread of the process answers; `undefined`: not seen.
   */
  readonly sleepsIn?: SleepsIn | undefined;
  /** For how long the watchdog's thread was held as well, without waiting for a CPU: the process was stopped. */
  readonly stopped?: number | undefined;
  /**
   * For how long the watchdog's thread waited for a CPU meanwhile: then other threads of the process did so too, and the
   * loop that sleeps may be waiting for one of them (for a lock, for a helper of the garbage collector).
   */
  readonly threadsStarved?: number | undefined;
}

/** The kernel's accounts of a running thread are up to one tick old (HZ=250): so much time may be missing from them. */
const TICK_MS = 4;

/** Whether CPUs were so scarce that the accounts can't be read to the millisecond. */
const isScarce = ({ wall, queue = 0, threadsStarved = 0 }: StallEvidence): boolean =>
  queue + threadsStarved > wall / 10;

/** What no account explains: the thread slept, but for what a tick may hide and for what starved threads explain. */
function asleep(evidence: StallEvidence): number {
  const { wall, run = 0, queue = 0, stopped = 0, threadsStarved = 0, sleepsIn } = evidence;
  if (sleepsIn === 'thread' && isScarce(evidence)) return 0;
  // What a file, a pipe or a socket has not answered is no other thread's doing.
  const forThreads = sleepsIn === 'call' ? 0 : threadsStarved;
  // Each time that the thread loses its CPU a little more is in neither account.
  const hidden = isScarce(evidence) ? Math.max(TICK_MS, wall / 10) : TICK_MS;
  return Math.max(0, wall - run - queue - stopped - forThreads - hidden);
}

/** A cause must explain so much of the window to be named. Measured: 100 of 100 trials right (`unknown` below it). */
const ENOUGH = 0.4;

/**
 * Why the loop stood still. The order matters: a stopped process looks asleep, and parallel garbage collection reads as
 * waiting for a CPU.
 */
export function verdict(evidence: StallEvidence): Cause {
  const { wall, run, queue, gc, stopped = 0 } = evidence;
  if (!(wall > 0)) return 'unknown';
  if (stopped >= ENOUGH * wall) return 'suspended';
  if (gc !== undefined && gc >= wall / 2) return 'gc';
  if (run === undefined) return 'unknown';
  const parts: [Cause, number][] = [['cpu', run]];
  // Without the one the other can't be told from it.
  if (queue !== undefined) parts.push(['starved', queue], ['native_wait', asleep(evidence)]);
  let [cause, most]: [Cause, number] = ['unknown', ENOUGH * wall];
  for (const [name, time] of parts) if (time >= most) [cause, most] = [name, time];
  return cause === 'native_wait' && gc === undefined && evidence.sleepsIn === 'thread' ? 'unknown' : cause;
}

/**
 * The part of a stall that was the loop's own doing: without the wait for a CPU and the time the process was stopped.
 * Garbage collection is own time, and its helpers' queue reads as ours: nothing is taken off then.
 */
export function ownFraction(evidence: StallEvidence, cause: Cause): number {
  const { wall, run, queue = 0, stopped = 0 } = evidence;
  if (!(wall > 0) || cause === 'gc') return 1;
  // Where CPUs are scarce, what a tick hides is as likely a wait for one.
  const own = run !== undefined && isScarce(evidence) ? run + asleep(evidence) : wall - queue - stopped;
  return Math.min(1, Math.max(0, own / wall));
}

/**
 * What stands while the watchdog's thread is late: it may starve, or the process have been stopped, and will tell only when
 * it runs again. The loop's own CPU time is its own in any case. `undefined` where that explains too little.
 */
export function withoutThread(evidence: StallEvidence): StallEvidence | undefined {
  const certain = { ...evidence, threadsStarved: evidence.wall, sleepsIn: undefined };
  return verdict(certain) === 'cpu' ? certain : undefined;
}

/** Whether the loop's thread was mostly asleep. */
export function isAsleep(evidence: StallEvidence): boolean {
  const { wall, run, queue } = evidence;
  return run !== undefined && queue !== undefined && wall - run - queue >= ENOUGH * wall;
}

/** Why a loop was starved: a quota of its cgroup, where that explains half of the wait, or other work. */
export function starvedBy({ queue = 0, throttled = 0 }: StallEvidence): 'cpu_quota' | 'other_work' {
  return throttled >= queue / 2 && throttled > 0 ? 'cpu_quota' : 'other_work';
}

/** The cause as it stands on a span, which is accused of its own time alone. */
export function spanCause(evidence: StallEvidence): Cause {
  const { wall, queue = 0, stopped = 0 } = evidence;
  const cause = verdict(evidence);
  if (cause !== 'starved' && cause !== 'suspended') return cause;
  return verdict({ ...evidence, wall: wall - queue - stopped, queue: 0, stopped: 0 });
}
