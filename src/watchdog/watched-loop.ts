import { now } from '../clock.ts';
import { DoorFloat, DoorInt, type DoorMemory, doorMemory, UNKNOWN } from '../door/layout.ts';
import { DoorReader, type LateLoop } from '../door/reader.ts';
import type { Reporter } from '../still-blocked/reporter.ts';
import type { CgroupThrottling } from './cgroup.ts';
import { type LoopData, LoopFloat, LoopInt, MAIN_THREAD, type SharedBlock, SLEEPS, sharedBlock } from './layout.ts';
import type { OwnTime } from './own-time.ts';
import { sampleIntervalMs } from './pace.ts';
import type { Sampler } from './sampler.ts';
import { StuckMeter } from './stuck.ts';
import {
  ProcFile,
  type SchedTimes,
  type SystemCall,
  SystemCallFile,
  schedTimes,
  sleepOf,
  sleepsIn,
  taskFile,
} from './thread-state.ts';

/** Looks at an idle loop. */
const IDLE_LOOK_MS = 20;
/** After a quiet second looks are rare: whoever begins work then wakes the thread. */
const PARK_AFTER_MS = 1000;
const PARKED_LOOK_MS = 200;
/** A loop that was not seen idle for so long is a busy one. */
const BUSY_AFTER_MS = 250;
/** A loop that was idle at the last look may be in a short turn: look again before a session is opened. */
const RECHECK_MS = 2;
const STUCK_LOOK_MS = 2;
/** A sample is answered at once, or when the native call has ended: each look in between costs a wake-up. */
const PROMPT_MS = 20;
const PROMPT_LOOK_MS = 4;
const PENDING_LOOK_MS = 10;
/** What held the thread may have held the loop: that gets a moment to go on before it is reported. */
const GRACE_MS = 100;
const GRACE_LOOK_MS = 10;
/** A thread's CPU time moves with the kernel's tick, 4 ms as a rule: less than two tell nothing. */
const MIN_WINDOW_MS = 8;
const RUNNING_PART = 0.2;
/** A sample that the loop has not taken for so long waits for native code to return. */
const UNANSWERED_MS = 50;

interface SeenTimes extends SchedTimes {
  readonly at: number;
}

/** What the thread's loops have in common. */
export interface ThreadParts {
  readonly shared: SharedBlock;
  readonly sampler: Sampler;
  readonly own: OwnTime;
  readonly cgroup: CgroupThrottling;
}

/** One loop, as the thread sees it: idle, busy, or stuck. */
export class WatchedLoop {
  readonly reporter: Reporter | undefined;
  /** For how long the loop has been stuck; 0 when it is not. */
  ageMs = 0;
  readonly #data: LoopData;
  readonly #parts: ThreadParts;
  readonly #shared: SharedBlock;
  readonly #syscall: SystemCallFile;
  readonly #sched: ProcFile;
  readonly #stuck: StuckMeter;
  readonly #doorMemory: DoorMemory | undefined;
  readonly #door: DoorReader | undefined;
  /** Whether its thread may end before the process does, and that would be seen. */
  readonly #mayDie: boolean;

  /** Its thread's times at the last look that read them. */
  #seen: SeenTimes | undefined;
  /** Its thread was terminated: the loop could not say that it leaves. */
  #isDead = false;
  #samplePending = false;
  #postedAt = 0;
  #nextSampleAt = 0;
  #seenBeat: number;
  #activeAt = now();
  /** When the loop was last seen idle. */
  #restedAt = 0;
  /** When the loop was last seen idle since the last beat; 0 when not. */
  #idleAt = 0;
  /** When the loop was first seen busy since then; 0 when not. */
  #busyAt = 0;
  /** When the report that is due was first so; 0 where none is. */
  #dueAt = 0;

  constructor(data: LoopData, parts: ThreadParts, reporter: Reporter | undefined) {
    this.#data = data;
    this.#parts = parts;
    this.reporter = reporter;
    this.#shared = sharedBlock(data.buffer);
    this.#syscall = new SystemCallFile(data.tid);
    this.#sched = new ProcFile(taskFile(data.tid, 'schedstat'));
    this.#mayDie = data.threadId !== MAIN_THREAD && schedTimes(this.#sched) !== undefined;
    this.#stuck = new StuckMeter(this.#shared, parts.shared, this.#sched, parts.cgroup);
    this.#doorMemory = data.door && doorMemory(data.door);
    this.#door = this.#doorMemory && new DoorReader(this.#doorMemory, data.thresholdMs);
    this.#seenBeat = this.#shared.float[LoopFloat.BEAT]!;
  }

  get threadId(): number {
    return this.#data.threadId;
  }

  /** Whether it has made a turn: what is before the first one is start-up. */
  get hasBegun(): boolean {
    return this.#seenBeat > 0;
  }

  /** Whether the loop, or its thread, is no more. */
  get hasLeft(): boolean {
    return this.#isDead || Atomics.load(this.#shared.int, LoopInt.LEFT) === 1;
  }

  /** The thread has woken: for this loop's sake, if it was the one that was looked at rarely. */
  woke(isForWork: boolean): void {
    const wasParked = Atomics.exchange(this.#shared.int, LoopInt.PARKED, 0) === 1;
    if (isForWork && wasParked) this.#activeAt = this.#idleAt = now();
  }

  leave(): void {
    this.#parts.sampler.forget(this);
    this.#syscall.close();
    this.#sched.close();
  }

  /** One look; returns for how long the thread may sleep. */
  look(at: number): number {
    const beat = this.#shared.float[LoopFloat.BEAT]!;
    if (beat !== this.#seenBeat) {
      this.#seenBeat = beat;
      this.#activeAt = at;
      this.#stuck.beat();
      this.#goesOn(at);
      this.#idleAt = 0;
    }
    if (beat === 0) return IDLE_LOOK_MS;
    const age = at - beat;
    // Half a threshold early, samples can vouch for a hold that has just reached it. A loop that never rests is looked at
    // half as often instead: there each wake-up of this thread takes CPU time from it.
    const { thresholdMs } = this.#data;
    const firstLookMs = at - this.#restedAt < BUSY_AFTER_MS ? thresholdMs / 2 : thresholdMs;
    if (age < firstLookMs) {
      this.ageMs = age;
      this.#readSched(at);
      this.#parts.sampler.release(this);
      return firstLookMs - age;
    }

    const call = this.#syscall.read();
    this.#isDead = this.#mayDie && call.number < 0 && !schedTimes(this.#sched);
    if (this.#isDead) return IDLE_LOOK_MS;
    if (sleepsIn(this.#data.epollFds, call)) {
      this.#idleAt = this.#restedAt = at;
      this.#seen = undefined;
      this.#stuck.rest();
      this.#goesOn(at);
      if (at - this.#activeAt < PARK_AFTER_MS) return IDLE_LOOK_MS;
      Atomics.store(this.#shared.int, LoopInt.PARKED, 1);
      return PARKED_LOOK_MS;
    }
    return this.#lookAtBusy(at, beat, firstLookMs, call);
  }

  #lookAtBusy(at: number, beat: number, firstLookMs: number, call: SystemCall): number {
    this.#activeAt = at;
    this.#shared.int[LoopInt.SLEEPS_IN] = SLEEPS.indexOf(sleepOf(call));
    if (this.#busyAt === 0) {
      this.#busyAt = at;
      this.#readBase(beat);
      this.#stuck.begin(this.#idleAt > 0 ? at : beat);
      // It may have gone to work right after it was last seen idle, so it can't have been stuck for longer than since then.
      this.#nextSampleAt = this.#idleAt > 0 ? Math.max(at + RECHECK_MS, this.#idleAt + firstLookMs) : at;
    }
    this.ageMs = this.#stuck.stuckMs(at);
    const reportInMs = this.#report(at);
    let sleepMs = this.#nextSampleAt - at;
    if (sleepMs <= 0 && this.#waitsForCpu(at, call)) sleepMs = this.#data.thresholdMs / 2;
    else if (sleepMs <= 0) {
      this.#postSample(at, at - this.#busyAt);
      sleepMs = this.#samplePending ? this.#pendingLookMs(at) : Math.max(STUCK_LOOK_MS, this.#nextSampleAt - at);
    }
    return Math.min(sleepMs, reportInMs, this.#door?.late(at, this.#lateLoop(at, call)) ?? sleepMs);
  }

  /** It is stuck no more, or never was. */
  #goesOn(at: number): void {
    this.ageMs = this.#dueAt = this.#busyAt = 0;
    this.reporter?.reset();
    this.#parts.sampler.release(this);
    this.#door?.rest(at);
  }

  /** Reads the thread's times; returns those of the last look that read them. */
  #readSched(at: number): SeenTimes | undefined {
    const before = this.#seen;
    const times = schedTimes(this.#sched);
    this.#seen = times && { ...times, at };
    return before;
  }

  /**
   * Whether the loop could run, but has had next to no CPU since the last look: a sample would tell who comes next, and
   * take a part of the little that it gets. (Its wait is accounted only when it ends, so it is known by what does not move.)
   */
  #waitsForCpu(at: number, call: SystemCall): boolean {
    const before = this.#readSched(at);
    const seen = this.#seen;
    if (call.number >= 0 || !before || !seen || at - before.at < MIN_WINDOW_MS) return false;
    return seen.run - before.run <= RUNNING_PART * (at - before.at);
  }

  #pendingLookMs(at: number): number {
    return at - this.#postedAt < PROMPT_MS ? PROMPT_LOOK_MS : PENDING_LOOK_MS;
  }

  #postSample(at: number, stuckMs: number): void {
    const { int, float } = this.#shared;
    const spacing = int[LoopInt.SAMPLE_SPACING]!;
    if (!this.#data.sampling || this.#samplePending || spacing === 0) return;
    float[LoopFloat.POSTED_AT] = Number.POSITIVE_INFINITY;
    this.#samplePending = this.#parts.sampler.post(this, {
      threadId: this.#data.threadId,
      expression: this.#data.sampleExpression,
      onPosted: () => {
        float[LoopFloat.POSTED_AT] = now();
      },
      onDone: () => {
        this.#samplePending = false;
      },
    });
    if (!this.#samplePending) return;
    this.#postedAt = at;
    this.#nextSampleAt = at + spacing * sampleIntervalMs(stuckMs);
  }

  /** The loop is late: its state as it is now is what the stall's cause is measured from. */
  #readBase(beat: number): void {
    const { float } = this.#shared;
    if (float[LoopFloat.BASE_BEAT] === beat) return;
    const times = schedTimes(this.#sched);
    if (!times) return;
    // After the reading: what passes between the two, if this thread loses its CPU there, must not look like sleep.
    float[LoopFloat.BASE_AT] = now();
    float[LoopFloat.BASE_RUN] = times.run;
    float[LoopFloat.BASE_QUEUE] = times.queue;
    float[LoopFloat.BASE_THROTTLED] = this.#parts.cgroup.throttledMs();
    float[LoopFloat.BASE_BEAT] = beat;
  }

  /** For the door: what of a late loop says when those who wait can have come. */
  #lateLoop(at: number, call: SystemCall): LateLoop {
    const { float } = this.#shared;
    const beat = float[LoopFloat.BEAT]!;
    const slept = Math.max(this.#restedAt, float[LoopFloat.SLEPT_UNTIL]!);
    return {
      beat,
      lastRead: { accepted: Math.max(slept, float[LoopFloat.PREVIOUS_BEAT]!), all: slept },
      // It may have slept between the beat and the first look that found it busy, but for a loop that never rests.
      stuckMs: at - (at - this.#restedAt < BUSY_AFTER_MS ? this.#busyAt : beat),
      isAsleep: call.number >= 0,
    };
  }

  /** Reports what is due, and returns in how many milliseconds there is more to report. */
  #report(at: number): number {
    const { reporter } = this;
    if (!reporter) return Number.POSITIVE_INFINITY;
    if (!reporter.isDue(this.ageMs)) return reporter.dueIn(this.ageMs);
    if (this.#dueAt === 0) this.#dueAt = at;
    const { own } = this.#parts;
    if (at - own.heldAt < GRACE_MS && at - this.#dueAt < GRACE_MS) return GRACE_LOOK_MS;
    this.#dueAt = 0;
    reporter.report({
      at,
      stuckMs: this.ageMs,
      since: this.#stuck.since,
      evidence: this.#stuck.evidence(),
      isSampled: !this.#samplePending || at - this.#postedAt < UNANSWERED_MS,
      isDebugged: this.#shared.int[LoopInt.DEBUGGED] === 1,
      unread: this.#countAtDoor(DoorInt.UNREAD),
      acceptQueue: this.#countAtDoor(DoorInt.ACCEPT_QUEUE),
    });
    // A pipe that nobody reads, or a slow disk, may have held this thread alone.
    own.forgive(now());
    return reporter.dueIn(this.ageMs);
  }

  /** `undefined` where it has not been counted in this stall. */
  #countAtDoor(slot: number): number | undefined {
    const memory = this.#doorMemory;
    if (memory?.float[DoorFloat.STALL_BEAT] !== this.#seenBeat) return undefined;
    const count = memory.int[slot]!;
    return count === UNKNOWN ? undefined : count;
  }
}
