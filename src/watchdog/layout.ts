/**
 * The memory that loops and the watchdog's thread share: every slot, its unit and who writes it. Both sides import this
 * file. A process has one thread, with one block of memory, and each loop that it watches has a block of its own. Times
 * are milliseconds on the monotonic clock (`clock.ts`).
 */

import type { ReporterData, ReporterMessage } from '../still-blocked/reporter.ts';
import type { SleepsIn } from './thread-state.ts';

/** A block: `Int32Array` at offset 0, `Float64Array` at offset 64. */
const INT_BYTES = 64;
const FLOAT_SLOTS = 16;

/** Of the thread: indexes into its `Int32Array`. */
export const ThreadInt = {
  /** Futex word: the thread sleeps on it. Loops and the exit handler write 1, the thread writes 0. */
  WAKE: 0,
  /** 1 when the process exits or the watchdog that started the thread is stopped. Loop that started it. */
  EXIT: 1,
  /** 1 when the thread has answered `EXIT`. Thread; the exit handler sleeps on it. */
  EXITED: 2,
  /** 1 while an inspector session is open. Thread. */
  SESSION: 3,
} as const;

/** Of the thread: indexes into its `Float64Array`. The thread writes them. */
export const ThreadFloat = {
  /** When the thread looks next, and when it looked last. */
  NEXT_LOOK: 0,
  LAST_LOOK: 1,
  /** For how long, in all, the thread itself was held without waiting for a CPU: the process was stopped. */
  STOPPED: 2,
  /** For how long, in all, the thread waited for a CPU when it was late. */
  STARVED: 3,
  /** The thread's own CPU time, in all, as of about a second ago. */
  OWN_RUN: 4,
} as const;

/** Of one loop: indexes into its `Int32Array`. */
export const LoopInt = {
  /** 1 when the loop is to be watched no more. Loop. */
  LEFT: 0,
  /** 1 while the loop has been idle for so long that the thread looks rarely: whoever begins work wakes it. Thread. */
  PARKED: 1,
  /** What the stuck loop slept in at the last look: an index into `SLEEPS`. Thread. */
  SLEEPS_IN: 2,
  /** How many times as far apart as usual samples shall be; 0: none are taken. Loop. */
  SAMPLE_SPACING: 3,
  /** 1 if a debugger could be attached at the last sample: its pause may be what holds the loop. Loop. */
  DEBUGGED: 4,
} as const;

/** Of one loop: indexes into its `Float64Array`. */
export const LoopFloat = {
  /** When the loop's last turn ended; 0 before the first one. Loop. */
  BEAT: 0,
  /** When the sample that is on its way was posted; infinite until that is known. Thread. */
  POSTED_AT: 1,
  /** First reading of the loop's thread in the stall that followed beat `BASE_BEAT`: when, CPU and queue time. Thread. */
  BASE_BEAT: 2,
  BASE_AT: 3,
  BASE_RUN: 4,
  BASE_QUEUE: 5,
  /** For how long, in all, the process's cgroup was throttled at that reading; -1: unknown. Thread. */
  BASE_THROTTLED: 6,
  /** When the turn before that of `BEAT` ended: what had come by then has been read since. Loop. */
  PREVIOUS_BEAT: 7,
  /** Until when the loop has slept last: then it had accepted, too, whoever had come. Loop. */
  SLEPT_UNTIL: 8,
} as const;

/** The values of `LoopInt.SLEEPS_IN`. */
export const SLEEPS: readonly (SleepsIn | undefined)[] = [undefined, 'thread', 'call'];

/** One block. */
export interface SharedBlock {
  readonly buffer: SharedArrayBuffer;
  readonly int: Int32Array;
  readonly float: Float64Array;
}

/** The views over a block; a new one where none is given. */
export function sharedBlock(
  buffer: SharedArrayBuffer = new SharedArrayBuffer(INT_BYTES + FLOAT_SLOTS * 8),
): SharedBlock {
  return {
    buffer,
    int: new Int32Array(buffer, 0, INT_BYTES / 4),
    float: new Float64Array(buffer, INT_BYTES, FLOAT_SLOTS),
  };
}

/** Wakes the thread: it has something to do before its next look. */
export function wakeThread({ int }: SharedBlock): void {
  Atomics.store(int, ThreadInt.WAKE, 1);
  Atomics.notify(int, ThreadInt.WAKE);
}

/** Node's id of the main thread. */
export const MAIN_THREAD = 0;

/** What a loop hands to the thread that is to watch it. */
export interface LoopData {
  readonly buffer: SharedArrayBuffer;
  readonly thresholdMs: number;
  /** Node's id of the loop's thread. */
  readonly threadId: number;
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
}

/** What loops tell the thread. */
export interface ThreadMessage {
  /** Whose message it is, by Node's id of its thread. */
  readonly threadId: number;
  /** A loop that is to be watched as well. */
  readonly join?: LoopData;
  /** For the reports on that loop. */
  readonly report?: ReporterMessage;
}

/** What the thread is started with. */
export interface ThreadData {
  readonly buffer: SharedArrayBuffer;
  /** Where loops of other threads come to be watched as well. */
  readonly channel: string;
  /** The loop that starts it. */
  readonly loop: LoopData;
  /** Empty for none. */
  readonly heartbeatFile: string;
}
