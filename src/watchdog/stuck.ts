import { now } from '../clock.ts';
import type { CgroupThrottling } from './cgroup.ts';
import { LoopInt, type SharedBlock, SLEEPS, ThreadFloat } from './layout.ts';
import { type ProcFile, type SchedTimes, schedTimes } from './thread-state.ts';
import type { StallEvidence } from './verdict.ts';

/** CPU time of all threads of the process. */
function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** Threads that together took less of one CPU than this were not collecting garbage for the loop. */
const OTHERS_QUIET = 0.1;

interface Base extends SchedTimes {
  readonly at: number;
  readonly processCpu: number;
  readonly throttled: number;
  readonly stopped: number;
  readonly starved: number;
}

/** For how long the loop has been stuck, and why, as the thread sees it while it lasts. */
export class StuckMeter {
  readonly #loop: SharedBlock;
  readonly #thread: SharedBlock;
  readonly #loopSched: ProcFile;
  readonly #cgroup: CgroupThrottling;
  #since = 0;
  /** For how long the process had been stopped in all: at the last look, and when the loop was last well. */
  #stoppedAtLook = 0;
  #stoppedBefore = 0;
  #base: Base | undefined;

  constructor(loop: SharedBlock, thread: SharedBlock, loopSched: ProcFile, cgroup: CgroupThrottling) {
    this.#loop = loop;
    this.#thread = thread;
    this.#loopSched = loopSched;
    this.#cgroup = cgroup;
  }

  /** When the loop got stuck, or a little later. */
  get since(): number {
    return this.#since;
  }

  /** The loop sleeps: what was before is of no account. */
  rest(): void {
    this.#stoppedBefore = this.#thread.float[ThreadFloat.STOPPED]!;
  }

  /** It has ended a turn since the last look. A stop in between may have been after that, and then is none of its time. */
  beat(): void {
    this.#stoppedBefore = this.#stoppedAtLook;
  }

  /** A look is over. */
  looked(): void {
    this.#stoppedAtLook = this.#thread.float[ThreadFloat.STOPPED]!;
  }

  /** It is found to be stuck, and has been since then. */
  begin(since: number): void {
    this.#since = since;
    const { float } = this.#thread;
    const times = schedTimes(this.#loopSched);
    // After the reading: what passes between the two, if this thread loses its CPU there, must not look like sleep.
    this.#base = times && {
      ...times,
      at: now(),
      processCpu: processCpuMs(),
      throttled: this.#cgroup.throttledMs(),
      stopped: float[ThreadFloat.STOPPED]!,
      starved: float[ThreadFloat.STARVED]!,
    };
  }

  /** Without the time that the whole process was stopped. */
  stuckMs(at: number): number {
    return Math.max(0, at - this.#since - (this.#thread.float[ThreadFloat.STOPPED]! - this.#stoppedBefore));
  }

  /** What is known by now of why. */
  evidence(): StallEvidence {
    const base = this.#base;
    const before = now();
    const times = base && schedTimes(this.#loopSched);
    if (!base || !times) return { wall: before - this.#since };
    const { float } = this.#thread;
    const wall = before - base.at;
    const run = times.run - base.run;
    const throttled = this.#cgroup.throttledMs();
    const sleepsIn = SLEEPS[this.#loop.int[LoopInt.SLEEPS_IN]!];
    // Collections are reported on the loop, later. One that the loop waits for keeps other threads busy.
    const others = processCpuMs() - base.processCpu - run;
    const maybeCollecting = sleepsIn === 'thread' && others > OTHERS_QUIET * wall;
    return {
      wall,
      run,
      queue: times.queue - base.queue,
      stopped: Math.min(wall, float[ThreadFloat.STOPPED]! - base.stopped),
      threadsStarved: Math.min(wall, float[ThreadFloat.STARVED]! - base.starved),
      sleepsIn,
      ...(base.throttled >= 0 && throttled >= 0 && { throttled: throttled - base.throttled }),
      ...(!maybeCollecting && { gc: 0 }),
    };
  }
}
