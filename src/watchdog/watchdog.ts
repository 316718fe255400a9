import { unlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { isMainThread, threadId } from 'node:worker_threads';
import { now } from '../clock.ts';
import { warnOnce } from '../log.ts';
import { mainGlobal } from '../main-global.ts';
import { isGranted } from '../permission.ts';
import type { ReporterData, ReporterMessage } from '../still-blocked/reporter.ts';
import { CgroupThrottling } from './cgroup.ts';
import { isDebuggerListening, prepareDebuggerCheck } from './debugger.ts';
import { Heartbeat, type HeartbeatListener, idleTime } from './heartbeat.ts';
import {
  type LoopData,
  LoopFloat,
  LoopInt,
  type SharedBlock,
  SLEEPS,
  sharedBlock,
  ThreadFloat,
  wakeThread,
} from './layout.ts';
import { type ThreadLink, threadLink } from './thread-link.ts';
import { epollDescriptors, ownCpuTime, ownThreadId, ProcFile, schedTimes, taskFile } from './thread-state.ts';
import type { StallEvidence } from './verdict.ts';

/** A thread that is later than this for its own look was held as well: nothing is known of who held the loop. */
const THREAD_LATE_MS = 15;

/**
 * Where the sampled expression, which is evaluated in the main context, finds the sampler: a symbol, out of the
 * application's sight, for each watchdog its own.
 */
function freeSampleName(): string {
  for (let n = 0; ; n++) {
    const name = `loopblame.sample.${n}`;
    if (!(Symbol.for(name) in mainGlobal)) return name;
  }
}

export interface WatchdogOptions {
  readonly thresholdMs: number;
  readonly sampling: boolean;
  /** Memory of the door (`door/layout.ts`); `undefined` where that part is off. */
  readonly door?: SharedArrayBuffer | undefined;
  /** `undefined`: the thread reports nothing itself. */
  readonly reporter?: ReporterData | undefined;
  /** Empty for none. */
  readonly heartbeatFile?: string;
}

export interface WatchdogListener extends HeartbeatListener {
  /**
   * Runs on top of whatever the loop executes; `postedAt` is when the thread asked for it. `sampler` was called by one
   * frame of the inspector's, and that by the code in question.
   */
  onSample(postedAt: number, at: number, sampler: Function): void;
}

/**
 * One reading of the loop's thread, and for how long the loop had slept until then. A thread may lose its CPU beside the
 * reading: windows are taken from after their first reading to before their last, so that it never looks like sleep.
 */
export interface Reading {
  readonly run: number;
  /** `undefined` where the system tells the CPU time alone. */
  readonly queue: number | undefined;
  readonly before: number;
  readonly after: number;
  readonly idle: number;
}

/** What the loop's thread did between two readings. */
export function between(start: Reading, end: Reading): StallEvidence {
  const queue = start.queue === undefined || end.queue === undefined ? undefined : end.queue - start.queue;
  return { wall: end.before - start.after, run: end.run - start.run, queue };
}

/** The path of the heartbeat file, if it may be written. */
function writable(path: string): string {
  if (path === '') return '';
  // the application may change its folder
  const file = resolve(path);
  if (isGranted('fs.write', file)) return file;
  warnOnce('heartbeat-file', `no heartbeat file: the permission model does not grant writing ${file}`);
  return '';
}

/** The loop's side of the watchdog: heartbeat, thread, readings, exit handshake. */
export class Watchdog {
  readonly heartbeat: Heartbeat;
  readonly #shared: SharedBlock = sharedBlock();
  readonly #thread: ThreadLink;
  readonly #listener: WatchdogListener;
  readonly #thresholdMs: number;
  readonly #sampling: boolean;
  readonly #door: SharedArrayBuffer | undefined;
  readonly #tid = ownThreadId();
  readonly #sched = new ProcFile(taskFile(this.#tid, 'schedstat'));
  readonly #cgroup = new CgroupThrottling();
  readonly #epollFds: number[];
  readonly #reporter: ReporterData | undefined;
  readonly #heartbeatFile: string;
  /** What the thread was told, for one that starts later. */
  readonly #told: ReporterMessage[] = [];
  #sampleName = '';
  /** The last readings that a tick took: the very last may be from the midst of a turn. */
  #ticks: { readonly last?: Reading | undefined; readonly older?: Reading | undefined } = {};
  #isStarted = false;

  constructor(listener: WatchdogListener, options: WatchdogOptions) {
    this.#listener = listener;
    this.#thresholdMs = options.thresholdMs;
    this.#sampling = options.sampling;
    this.#door = options.door;
    this.#reporter = options.reporter;
    // One a process: the file tells of its main loop.
    const heartbeatFile = isMainThread ? options.heartbeatFile : undefined;
    this.#heartbeatFile = writable((heartbeatFile ?? '').replaceAll('{pid}', `${process.pid}`));
    const syscall = new ProcFile(taskFile(this.#tid, 'syscall'));
    this.#epollFds = epollDescriptors(syscall);
    syscall.close();
    // Without its state, the end of a thread that is terminated would look like a loop that is stuck.
    this.#thread = threadLink(schedTimes(this.#sched) !== undefined);
    this.heartbeat = new Heartbeat(this.#shared, listener, {
      thresholdMs: options.thresholdMs,
      beatsWhileIdle: this.#epollFds.length === 0,
      wakeThread: () => wakeThread(this.#thread.shared),
      onTick: (at) => {
        if (this.#ticks.last && at - this.#ticks.last.after < this.#thresholdMs) return;
        this.#ticks = { last: this.read(), older: this.#ticks.last };
      },
    });
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.sampleSpacing = 1;
    prepareDebuggerCheck();
    this.heartbeat.start();
    this.#sampleName = freeSampleName();
    Object.defineProperty(mainGlobal, Symbol.for(this.#sampleName), {
      value: this.#sample,
      enumerable: false,
      configurable: true,
    });
    this.#thread.start(this.#loopData(), this.#heartbeatFile);
    for (const message of this.#told) this.#post(message);
    process.on('exit', this.#onExit);
  }

  stop(): void {
    this.heartbeat.stop();
    process.off('exit', this.#onExit);
    Reflect.deleteProperty(mainGlobal, Symbol.for(this.#sampleName));
    this.#sched.close();
    this.#cgroup.close();
    if (!this.#isStarted) return;
    this.#isStarted = false;
    this.#onExit();
    this.#thread.stop();
  }

  /** Work begins: a thread that looks rarely, because the loop was idle for long, shall look at once. */
  noteActivity(): void {
    this.heartbeat.noteActivity();
  }

  /** The loop thread's CPU and queue time, now; `undefined` where the system does not tell. */
  read(): Reading | undefined {
    const before = now();
    const times = schedTimes(this.#sched) ?? ownCpuTime();
    return times && { before, after: now(), idle: idleTime(), ...times };
  }

  /** When the loop's last turn ended. */
  get beat(): number {
    return this.#shared.float[LoopFloat.BEAT]!;
  }

  /** Until when the loop has slept last, before its current turn. */
  get sleptUntil(): number {
    return this.#shared.float[LoopFloat.SLEPT_UNTIL]!;
  }

  /** Tells the thread what its reports shall say: before the loop is stuck, for then it can't. */
  tell(message: ReporterMessage): void {
    if (!this.#reporter) return;
    this.#told.push(message);
    this.#post(message);
  }

  #post(message: ReporterMessage): void {
    try {
      this.#thread.report(message);
    } catch (error) {
      warnOnce('tell', 'what a blocked loop is to be reported by cannot be handed to the thread', error);
    }
  }

  /** How many times as far apart as usual samples shall be; 0: none. */
  set sampleSpacing(spacing: number) {
    Atomics.store(this.#shared.int, LoopInt.SAMPLE_SPACING, spacing);
  }

  /** The thread's own CPU time since the start, in milliseconds; `undefined` where it is another loop's. */
  get threadRunMs(): number | undefined {
    if (this.#thread.isShared) return undefined;
    return this.#thread.shared.float[ThreadFloat.OWN_RUN]!;
  }

  /** For how long, in all, a stop of the process kept the thread from looking. */
  get threadStoppedMs(): number {
    return this.#thread.shared.float[ThreadFloat.STOPPED]!;
  }

  /** For how long, in all, it waited for a CPU meanwhile. */
  get threadStarvedMs(): number {
    return this.#thread.shared.float[ThreadFloat.STARVED]!;
  }

  /** Whether the thread has looked after this moment, so that what it knows of the time before is complete. */
  hasThreadLookedSince(at: number): boolean {
    return !this.#thread.isAlive || this.#thread.shared.float[ThreadFloat.LAST_LOOK]! > at;
  }

  /** Whether the thread is late itself: then neither of the two knows what the other was held by. */
  isThreadLate(at: number): boolean {
    const next = this.#thread.shared.float[ThreadFloat.NEXT_LOOK]!;
    return this.#thread.isAlive && next > 0 && at - next > THREAD_LATE_MS;
  }

  /**
   * Run and queue time of the loop's thread in the turn that follows `beat`. Best from a reading that the thread took
   * inside the stall; else from the last tick's, less the busy time before the turn.
   */
  evidence(turn: { from: number; to: number; beat: number }, reading: Reading | undefined): StallEvidence {
    const { float } = this.#shared;
    const length = turn.to - turn.from;
    if (!reading) return { wall: length };
    const sleepsIn = SLEEPS[this.#shared.int[LoopInt.SLEEPS_IN]!];
    const base = float[LoopFloat.BASE_AT]!;
    const { queue } = reading;
    if (queue !== undefined && float[LoopFloat.BASE_BEAT] === turn.beat && reading.before - base >= length / 2) {
      return {
        wall: reading.before - base,
        run: reading.run - float[LoopFloat.BASE_RUN]!,
        queue: queue - float[LoopFloat.BASE_QUEUE]!,
        sleepsIn,
        ...this.#throttled(),
      };
    }
    const { last, older } = this.#ticks;
    // One from within the turn does not know what came before it in the turn.
    const tick = last && last.after <= turn.from ? last : older;
    if (!tick || tick.after > turn.from) return { wall: length };
    // Between that tick and the turn the loop slept or was healthily busy; the latter is taken for CPU time.
    const before = Math.max(0, reading.before - tick.after - (reading.idle - tick.idle) - length);
    const run = Math.min(length, Math.max(0, reading.run - tick.run - before));
    if (queue === undefined || tick.queue === undefined) return { wall: length, run };
    return {
      wall: length,
      run,
      queue: Math.min(length, queue - tick.queue),
      ...(sleepsIn === 'thread' && { sleepsIn }),
    };
  }

  /** For how long the process's cgroup was throttled since the thread's first late look, where that is known. */
  #throttled(): { throttled: number } | undefined {
    const before = this.#shared.float[LoopFloat.BASE_THROTTLED]!;
    const after = this.#cgroup.throttledMs();
    return before < 0 || after < 0 ? undefined : { throttled: after - before };
  }

  #loopData(): LoopData {
    const isAllowed = isGranted('inspector');
    if (this.#sampling && !isAllowed) {
      warnOnce('permission', 'no stack samples: the permission model does not grant the inspector');
    }
    return {
      buffer: this.#shared.buffer,
      thresholdMs: this.#thresholdMs,
      threadId,
      tid: this.#tid,
      epollFds: this.#epollFds,
      // connectToMainThread() aborts the process without this grant, which can't be caught.
      sampling: this.#sampling && isAllowed,
      sampleExpression: `globalThis[Symbol.for('${this.#sampleName}')]()`,
      door: this.#door,
      reporter: this.#reporter,
    };
  }

  #sample = (): void => {
    // This runs in the middle of the application's code: nothing may reach it.
    try {
      this.#shared.int[LoopInt.DEBUGGED] = isDebuggerListening() ? 1 : 0;
      const at = now();
      this.#listener.onSample(Math.min(at, this.#shared.float[LoopFloat.POSTED_AT]!), at, this.#sample);
    } catch (error) {
      warnOnce('sample', 'a stack sample failed', error);
    }
  };

  #onExit = (): void => {
    this.#thread.leave();
    if (this.#heartbeatFile !== '') this.#removeHeartbeatFile();
  };

  #removeHeartbeatFile(): void {
    try {
      removeFile(this.#heartbeatFile);
    } catch {
      // it was never written
    }
  }
}

// Kept from before it is patched: our own calls are no sections of the application's.
const removeFile = unlinkSync;
