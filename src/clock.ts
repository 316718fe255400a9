import { performance as performanceOfThread } from 'node:perf_hooks';

// Taken once, before any test library can replace the global clock by a fake one.
const performanceNow = performanceOfThread.now.bind(performanceOfThread);
const hrtime = process.hrtime;

/**
 * `process.hrtime()` and `performance.now()` read one monotonic clock from two origins, and only the first origin is the
 * same in all threads. The smallest difference of a few readings is the true one: any other has a pause in it.
 */
function originOfThread(): number {
  let origin = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 8; i++) {
    const before = performanceNow();
    const [seconds, nanos] = hrtime();
    const between = (before + performanceNow()) / 2;
    const difference = seconds * 1e3 + nanos / 1e6 - between;
    if (difference < origin) origin = difference;
  }
  return origin;
}

const origin = originOfThread();

/** Milliseconds on the machine's monotonic clock: comparable between threads (and processes), never set back. */
export function now(): number {
  return performanceNow() + origin;
}

/** The same moment as `performance.now()` of this thread has it, which OpenTelemetry takes as a time. */
export function toPerformanceTime(ms: number): number {
  return ms - origin;
}

/** As it goes on the wire: no clock here is good for more than microseconds, and readers see each digit. */
export const seconds = (ms: number): number => Math.round(ms * 1e3) / 1e6;
