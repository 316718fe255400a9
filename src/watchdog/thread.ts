/**
 * The watchdog's thread. It sleeps until the loop's last beat is older than the threshold, so it meets a block exactly
 * then and wakes seldom (a wake-up is what it costs). While the loop is stuck it reads the loop thread's state once and
 * posts samples through the inspector until the beat returns.
 */
import type { Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';
import { now } from '../clock.ts';
import { DoorFloat, DoorInt, doorMemory, UNKNOWN } from '../door/layout.ts';
import { DoorReader, type LateLoop } from '../door/reader.ts';
import { HeartbeatFile } from '../still-blocked/heartbeat-file.ts';
import { Reporter, type ReporterTrouble } from '../still-blocked/reporter.ts';
import { CgroupThrottling } from './cgroup.ts';
import { Float, Int, SLEEPS, sharedState, type ThreadData } from './layout.ts';
import { sampleIntervalMs } from './pace.ts';
import { StuckMeter } from './stuck.ts';
import { ProcFile, type SystemCall, schedTimes, sleepOf, sleepsIn, systemCallOf, taskFile } from './thread-state.ts';

const data = workerData as ThreadData;
const shared = sharedState(data.buffer);
const { int, float } = shared;
const { thresholdMs } = data;

/** Looks at an idle loop. */
const IDLE_LOOK_MS = 20;
/** After a quiet second looks are rare: whoever begins work then wakes the thread. */
const PARK_AFTER_MS = 1000;
const PARKED_LOOK_MS = 200;
/** A loop that was not seen idle for so long is a busy one. */
const BUSY_AFTER_MS = 250;
/** A loop that was idle at the last look may be in a short turn: look again before a session is opened. */
const RECHECK_MS = 2;
/** A wake-up later than this was not the timer's: the thread starved, or the process was stopped. */
const LATE_WAKE_MS = 10;
const STUCK_LOOK_MS = 2;
const PROMPT_MS = 20;
const PROMPT_LOOK_MS = 4;
const PENDING_LOOK_MS = 10;
const SENDING_LOOK_MS = 5;
/** What held this thread for so long may have held the loop: that gets a moment to go on before it is reported. */
const HELD_MS = 50;
const GRACE_MS = 100;
const GRACE_LOOK_MS = 10;
/** A sample that the loop has not taken for so long waits for native code to return. */
const UNANSWERED_MS = 50;

const syscall = new ProcFile(taskFile(data.tid, 'syscall'));
const loopSched = new ProcFile(taskFile(data.tid, 'schedstat'));
const ownSched = new ProcFile('/proc/thread-self/schedstat');
const cgroup = new CgroupThrottling();
const doorCounts = data.door && doorMemory(data.door);
const door = doorCounts && new DoorReader(doorCounts, thresholdMs);

let session: Session | undefined;
let samplePending = false;
let nextSampleAt = 0;

let seenBeat = float[Float.BEAT]!;
let activeAt = now();
/** When the loop was last seen idle. */
let restedAt = 0;
/** When the loop was last seen idle since the last beat; 0 when not. */
let idleAt = 0;
/** When the loop was first seen busy since then; 0 when not. */
let busyAt = 0;
/** For how long the loop has been stuck; 0 when it is not. */
let ageMs = 0;
let own = schedTimes(ownSched) ?? { run: 0, queue: 0 };
let ownAt = now();
/** Until when the thread's own time is accounted for. */
let accountedAt = ownAt;
/** When the thread last found that it had been held for long. */
let heldAt = 0;
/** When the report that is due was first so; 0 where none is. */
let dueAt = 0;

const trouble = (told: ReporterTrouble): void => parentPort!.postMessage(told);
const reporter = data.reporter && new Reporter(data.reporter, parentPort!, (module) => require(module));
const stuck = new StuckMeter(shared, loopSched, cgroup);
const heartbeatFile =
  data.heartbeatFile === ''
    ? undefined
    : new HeartbeatFile(data.heartbeatFile, (error) =>
        trouble({
          level: 'warn',
          kind: 'heartbeat-file',
          message: `${data.heartbeatFile} cannot be written: ${error}`,
        }),
      );

function closeSession(): void {
  if (!session || samplePending) return;
  session.disconnect();
  session = undefined;
  Atomics.store(int, Int.SESSION, 0);
}

function postSample(at: number, stuckMs: number): void {
  const spacing = int[Int.SAMPLE_SPACING]!;
  if (!data.sampling || samplePending || spacing === 0) return;
  if (!session) {
    // Each side first says what it does and then looks at the other: the exit handler waits, or no session is opened.
    Atomics.store(int, Int.SESSION, 1);
    if (Atomics.load(int, Int.EXIT) === 1) {
      Atomics.store(int, Int.SESSION, 0);
      return;
    }
    const inspector = require('node:inspector') as typeof import('node:inspector');
    session = new inspector.Session();
    session.connectToMainThread();
  }
  samplePending = true;
  nextSampleAt = at + spacing * sampleIntervalMs(stuckMs);
  int[Int.SAMPLES] = int[Int.SAMPLES]! + 1;
  float[Float.POSTED_AT] = now();
  session.post('Runtime.evaluate', { expression: data.sampleExpression, silent: true }, () => {
    samplePending = false;
  });
}

/** The loop is late: its state as it is now is what the stall's cause is measured from. */
function readBase(beat: number): void {
  if (float[Float.BASE_BEAT] === beat) return;
  const times = schedTimes(loopSched);
  if (!times) return;
  // After the reading: what passes between the two, if this thread loses its CPU there, must not look like sleep.
  float[Float.BASE_AT] = now();
  float[Float.BASE_RUN] = times.run;
  float[Float.BASE_QUEUE] = times.queue;
  float[Float.BASE_THROTTLED] = cgroup.throttledMs();
  float[Float.BASE_BEAT] = beat;
}

/**
 * How late the thread itself woke, without its own wait for a CPU, is how long the process was stopped: nothing else
 * holds a thread that sleeps in a timed wait.
 */
function accountLateness(at: number, expectedAt: number): void {
  const late = at - expectedAt;
  const isLate = late > LATE_WAKE_MS;
  if (late > HELD_MS) heldAt = at;
  if (!isLate && at - ownAt < 1000) return;
  const times = schedTimes(ownSched);
  if (!times) return;
  float[Float.OWN_RUN] = times.run;
  const queued = times.queue - own.queue;
  const stopped = late - queued;
  if (isLate) float[Float.STARVED] = float[Float.STARVED]! + queued;
  if (isLate && stopped > LATE_WAKE_MS) float[Float.STOPPED] = float[Float.STOPPED]! + stopped;
  own = times;
  ownAt = at;
}

/** The same of the time between two sleeps, in which it does little: a stop may find it awake, or waiting for a CPU. */
function accountAwake(at: number): void {
  const awakeMs = at - accountedAt;
  accountedAt = at;
  if (awakeMs > HELD_MS) heldAt = at;
  if (awakeMs <= LATE_WAKE_MS) return;
  const times = schedTimes(ownSched);
  if (!times) return;
  const stopped = awakeMs - (times.queue - own.queue) - (times.run - own.run);
  if (stopped > LATE_WAKE_MS) float[Float.STOPPED] = float[Float.STOPPED]! + stopped;
}

/** For the door: what of a late loop says when those who wait can have come. */
function lateLoop(at: number, call: SystemCall): LateLoop {
  const beat = float[Float.BEAT]!;
  const slept = Math.max(restedAt, float[Float.SLEPT_UNTIL]!);
  return {
    beat,
    lastRead: { accepted: Math.max(slept, float[Float.PREVIOUS_BEAT]!), all: slept },
    // It may have slept between the beat and the first look that found it busy, but for a loop that never rests.
    stuckMs: at - (at - restedAt < BUSY_AFTER_MS ? busyAt : beat),
    isAsleep: call.number >= 0,
  };
}

/** One look; returns for how long to sleep. */
function look(at: number): number {
  const beat = float[Float.BEAT]!;
  if (beat !== seenBeat) {
    seenBeat = beat;
    activeAt = at;
    idleAt = busyAt = 0;
    stuck.beat();
    rested();
    closeSession();
    door?.rest(at);
  }
  // The loop has not made its first turn yet: that is start-up.
  if (beat === 0) return IDLE_LOOK_MS;
  const age = at - beat;
  // Half a threshold early, samples can vouch for a hold that has just reached it. A loop that never rests is looked at
  // half as often instead: there each wake-up of this thread takes CPU time from it.
  const firstLookMs = at - restedAt < BUSY_AFTER_MS ? thresholdMs / 2 : thresholdMs;
  if (age < firstLookMs) {
    ageMs = age;
    closeSession();
    return firstLookMs - age;
  }

  const call = systemCallOf(syscall);
  if (sleepsIn(data.epollFds, call)) {
    idleAt = restedAt = at;
    busyAt = 0;
    stuck.rest();
    rested();
    closeSession();
    door?.rest(at);
    if (at - activeAt < PARK_AFTER_MS) return IDLE_LOOK_MS;
    Atomics.store(int, Int.PARKED, 1);
    return PARKED_LOOK_MS;
  }
  activeAt = at;
  int[Int.SLEEPS_IN] = SLEEPS.indexOf(sleepOf(call));
  if (busyAt === 0) {
    busyAt = at;
    readBase(beat);
    stuck.begin(idleAt > 0 ? at : beat);
    // It may have gone to work right after it was last seen idle, so it can't have been stuck for longer than since then.
    nextSampleAt = idleAt > 0 ? Math.max(at + RECHECK_MS, idleAt + firstLookMs) : at;
  }
  ageMs = stuck.stuckMs(at);
  const reportInMs = report(at);
  let sleepMs = nextSampleAt - at;
  if (sleepMs <= 0) {
    postSample(at, at - busyAt);
    sleepMs = samplePending ? pendingLookMs(at) : Math.max(STUCK_LOOK_MS, nextSampleAt - at);
  }
  return Math.min(sleepMs, reportInMs, door?.late(at, lateLoop(at, call)) ?? sleepMs);
}

/** A sample is answered at once, or when the native call has ended: each look in between costs a wake-up. */
function pendingLookMs(at: number): number {
  return at - float[Float.POSTED_AT]! < PROMPT_MS ? PROMPT_LOOK_MS : PENDING_LOOK_MS;
}

function rested(): void {
  ageMs = dueAt = 0;
  reporter?.reset();
}

/** Reports what is due, and returns in how many milliseconds there is more to report. */
function report(at: number): number {
  if (!reporter) return Number.POSITIVE_INFINITY;
  if (!reporter.isDue(ageMs)) return reporter.dueIn(ageMs);
  if (dueAt === 0) dueAt = at;
  if (at - heldAt < GRACE_MS && at - dueAt < GRACE_MS) return GRACE_LOOK_MS;
  dueAt = 0;
  reporter.report({
    at,
    stuckMs: ageMs,
    since: stuck.since,
    evidence: stuck.evidence(),
    isSampled: !samplePending || at - float[Float.POSTED_AT]! < UNANSWERED_MS,
    isDebugged: int[Int.DEBUGGED] === 1,
    unread: countAtDoor(DoorInt.UNREAD),
    acceptQueue: countAtDoor(DoorInt.ACCEPT_QUEUE),
  });
  // A pipe that nobody reads, or a slow disk, may have held this thread alone.
  accountedAt = now();
  return reporter.dueIn(ageMs);
}

/** `undefined` where it has not been counted in this stall. */
function countAtDoor(slot: number): number | undefined {
  if (doorCounts?.float[DoorFloat.STALL_BEAT] !== seenBeat) return undefined;
  const count = doorCounts.int[slot]!;
  return count === UNKNOWN ? undefined : count;
}

/** While a report is on its way, the thread's event loop must turn often enough for it. */
function sleepMsWhileSending(sleepMs: number): number {
  return Math.min(sleepMs, ageMs > 0 ? SENDING_LOOK_MS : IDLE_LOOK_MS);
}

/**
 * Sleeps and looks. The thread's event loop turns only while a session is open, for the inspector's answers, and while a
 * report is on its way.
 */
function run(): void {
  for (;;) {
    const at = now();
    accountAwake(at);
    float[Float.LAST_LOOK] = at;
    if (Atomics.load(int, Int.EXIT) === 1) {
      samplePending = false;
      closeSession();
      Atomics.store(int, Int.EXITED, 1);
      Atomics.notify(int, Int.EXITED);
      return;
    }
    const nextMs = look(at);
    stuck.looked();
    if (seenBeat > 0 && heartbeatFile?.beat(at, ageMs)) accountedAt = now();
    const isSending = reporter !== undefined && reporter.exporter.pending > 0;
    const sleepMs = isSending ? sleepMsWhileSending(nextMs) : nextMs;
    const beforeSleep = now();
    accountAwake(beforeSleep);
    const expectedAt = beforeSleep + sleepMs;
    float[Float.NEXT_LOOK] = expectedAt;
    Atomics.wait(int, Int.WAKE, 0, sleepMs);
    // Work begins on a loop that was idle until now.
    if (Atomics.exchange(int, Int.WAKE, 0) === 1) activeAt = idleAt = now();
    Atomics.store(int, Int.PARKED, 0);
    accountedAt = now();
    accountLateness(accountedAt, expectedAt);
    if (session || isSending) {
      setImmediate(run);
      return;
    }
  }
}

// A session does not keep the thread alive, and its loop is empty between two immediates.
const alive = setInterval(() => {}, 2 ** 30);
process.once('exit', () => clearInterval(alive));
run();
