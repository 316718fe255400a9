import { now } from '../clock.ts';
import { type SharedBlock, ThreadFloat } from './layout.ts';
import { ProcFile, schedTimes } from './thread-state.ts';

/** A wake-up later than this was not the timer's: the thread starved, or the process was stopped. */
const LATE_MS = 10;
/** What held this thread for so long may have held a loop as well. */
const HELD_MS = 50;
/** The accounts are read so often where nothing is late. */
const READ_EVERY_MS = 1000;

/**
 * What held the watchdog's thread, which does next to nothing: without its own wait for a CPU, whatever keeps it from a
 * look that is due is a stop of the process. Its wait tells that CPUs were short, and that what a loop waits for may be
 * another thread that waits for one: this one, in the midst of taking a sample, or a helper of V8's.
 */
export class OwnTime {
  readonly #shared: SharedBlock;
  readonly #sched = new ProcFile('/proc/thread-self/schedstat');
  #known = schedTimes(this.#sched) ?? { run: 0, queue: 0 };
  #knownAt = now();
  /** Until when the thread's own time is accounted for. */
  #accountedAt = this.#knownAt;
  /** When the thread last found that it had been held for long. */
  heldAt = 0;

  constructor(shared: SharedBlock) {
    this.#shared = shared;
  }

  /** The thread has woken; it was meant to sleep until then. */
  woke(at: number, expectedAt: number): void {
    this.#accountedAt = at;
    this.#account(at, at - expectedAt, false);
  }

  /** The thread is awake. Between two sleeps it does little: a stop may find it there, or it may lose its CPU. */
  awake(at: number): void {
    const awakeMs = at - this.#accountedAt;
    this.#accountedAt = at;
    this.#account(at, awakeMs, true);
  }

  /** What it did until now took long for a reason of its own: a pipe that nobody reads, a slow disk. */
  forgive(at: number): void {
    this.#accountedAt = at;
  }

  /** @param isBusy whether its own CPU time is a part of what it was held for */
  #account(at: number, heldMs: number, isBusy: boolean): void {
    if (heldMs > HELD_MS) this.heldAt = at;
    const isLate = heldMs > LATE_MS;
    if (!isLate && at - this.#knownAt < READ_EVERY_MS) return;
    const times = schedTimes(this.#sched);
    if (!times) return;
    const { float } = this.#shared;
    const queued = times.queue - this.#known.queue;
    const stopped = heldMs - queued - (isBusy ? times.run - this.#known.run : 0);
    float[ThreadFloat.OWN_RUN] = times.run;
    if (isLate) float[ThreadFloat.STARVED]! += queued;
    if (isLate && stopped > LATE_MS) float[ThreadFloat.STOPPED]! += stopped;
    this.#known = times;
    this.#knownAt = at;
  }
}
