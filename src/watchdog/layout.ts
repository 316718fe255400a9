/**
 * The memory that the loop and the watchdog thread share: every slot, its unit and who writes it. Both threads import this
 * file. Times are milliseconds on the monotonic clock (`clock.ts`).
 */

import type { ReporterData } from '../still-blocked/reporter.ts';
import type { SleepsIn } from './thread-state.ts';

/** Indexes into the `Int32Array` at offset 0. */
export const Int = {
  /** Futex word: the thread sleeps on it. Loop and exit handler write 1, the thread writes 0. */
  WAKE: 0,
  /** 1 when the process exits or the watchdog is stopped. Loop. */
  EXIT: 1,
  /** 1 when the thread has answered `EXIT`. Thread; the exit handler sleeps on it. */
  EXITED: 2,
  /** 1 while an inspector session is open. Thread. */
  SESSION: 3,
  /** 1 while the loop has been idle for so long that the thread looks rarely: whoever begins work wakes it. Thread. */
  PARKED: 4,
  /** Samples posted. Thread. */
  SAMPLES: 5,
  /** What the stuck loop slept in at the last look: an index into `SLEEPS`. Thread. */
  SLEEPS_IN: 6,
  /** 1 if a debugger could be attached at the last sample: its pause may be what holds the loop. Loop. */
  DEBUGGED: 13,
  /** How many times as far apart as usual samples shall be; 0: none are taken. Loop. */
  SAMPLE_SPACING: 12,
} as const;

/** Indexes into the `Float64Array` at offset 64. */
export const Float = {
  /** When the loop's last turn ended; 0 before the first one. Loop. */
  BEAT: 0,
  /** When the sample that is on its way was posted. Thread. */
  POSTED_AT: 1,
  /** First reading of the loop thread in the stall that followed beat `BASE_BEAT`: when, CPU and queue time. Thread. */
  BASE_BEAT: 2,
  BASE_AT: 3,
  BASE_RUN: 4,
  BASE_QUEUE: 5,
  /** When the thread looks next, and when it looked last. Thread. */
  NEXT_LOOK: 6,
  LAST_LOOK: 7,
  /** For how long, in all, the thread itself was held without waiting for a CPU: the process was stopped. Thread. */
  STOPPED: 8,
  /** For how long, in all, the thread waited for a CPU when it was late. Thread. */
  STARVED: 9,
  /** For how long, in all, the process's cgroup was throttled at the first late look (`BASE_BEAT`); -1: unknown. Thread. */
  BASE_THROTTLED: 14,
  /** The thread's own CPU time, in all, as of about a second ago. Thread. */
  OWN_RUN: 15,
  /** When the turn before that of `BEAT` ended: what had come by then has been read since. Loop. */
  PREVIOUS_BEAT: 10,
  /** Until when the loop has slept last: then it had accepted, too, whoever had come. Loop. */
  SLEPT_UNTIL: 11,
} as const;

/** The values of `Int.SLEEPS_IN`. */
export const SLEEPS: readonly (SleepsIn | undefined)[] = [undefined, 'thread', 'call'];

const INT_BYTES = 64;
const FLOAT_SLOTS = 16;

export interface SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly int: Int32Array;
  readonly float: Float64Array;
}

/** The views over a buffer; a new buffer where none is given. */
export function sharedState(
  buffer: SharedArrayBuffer = new SharedArrayBuffer(INT_BYTES + FLOAT_SLOTS * 8),
): SharedState {
  return {
    buffer,
    int: new Int32Array(buffer, 0, INT_BYTES / 4),
    float: new Float64Array(buffer, INT_BYTES, FLOAT_SLOTS),
  };
}

/** What the loop hands to the thread when it starts it. */
export interface ThreadData {
  readonly buffer: SharedArrayBuffer;
  readonly thresholdMs: number;
  /** Linux thread id of the loop's thread. */
  readonly tid: number;
  /** The loop's epoll descriptors; empty where the thread cannot tell an idle loop from a blocked one. */
  readonly epollFds: readonly number[];
  readonly sampling: boolean;
  /** The expression that takes a sample in the loop's thread. */
  readonly sampleExpression: string;
  /** Memory of the door (`door/layout.ts`); `undefined` where that part is off. */
  readonly door: SharedArrayBuffer | undefined;
  /** `undefined`: the thread reports nothing itself. */
  readonly reporter: ReporterData | undefined;
  /** Empty for none. */
  readonly heartbeatFile: string;
}
