/**
 * The watchdog's thread. It sleeps until a loop's last beat is older than the threshold, so it meets a block exactly then
 * and wakes seldom (a wake-up is what it costs). While a loop is stuck it reads the state of that loop's thread once and
 * posts samples through the inspector until the beat returns.
 */
import { BroadcastChannel, type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { now } from '../clock.ts';
import { HeartbeatFile } from '../still-blocked/heartbeat-file.ts';
import { Reporter, type ReporterTrouble } from '../still-blocked/reporter.ts';
import { CgroupThrottling } from './cgroup.ts';
import { type LoopData, sharedBlock, type ThreadData, ThreadFloat, ThreadInt, type ThreadMessage } from './layout.ts';
import { OwnTime } from './own-time.ts';
import { Sampler } from './sampler.ts';
import { WatchedLoop } from './watched-loop.ts';

const data = workerData as ThreadData;
const shared = sharedBlock(data.buffer);
const { int, float } = shared;

const SENDING_LOOK_MS = 5;
const SENDING_IDLE_LOOK_MS = 20;

const load = (module: string): unknown => require(module);
const port = parentPort!;
const channel = new BroadcastChannel(data.channel);
// Messages are taken out of it when there is time: as a listener of its own it would keep the thread.
channel.unref();

const sampler = new Sampler(shared, load);
const own = new OwnTime(shared);
const parts = { shared, sampler, own, cgroup: new CgroupThrottling() };
const trouble = (told: ReporterTrouble): void => port.postMessage(told);
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

/** First the loop that started the thread, then those that came later. */
const loops: WatchedLoop[] = [];

function watch(loop: LoopData): void {
  loops.push(new WatchedLoop(loop, parts, loop.reporter && new Reporter(loop.reporter, { load, trouble, drain })));
}

/** Messages are read when a loop is to be watched, and when there is something to report: a blocked loop sent them before. */
function drain(): void {
  // receiveMessageOnPort() takes either; @types/node 20 knows of the one
  for (const from of [port, channel as unknown as MessagePort]) {
    for (let got = receiveMessageOnPort(from); got; got = receiveMessageOnPort(from)) {
      const { threadId, join, report } = got.message as ThreadMessage;
      if (join) watch(join);
      // a loop may be watched twice: for a test, which reports nothing, as well
      if (report) for (const loop of loops) if (loop.threadId === threadId) loop.reporter?.hear(report);
    }
  }
}

/** One look at each loop; returns for how long to sleep. */
function lookAtAll(at: number): number {
  let sleepMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < loops.length; i++) {
    const loop = loops[i]!;
    sleepMs = Math.min(sleepMs, loop.look(at));
    if (i === 0 || !loop.hasLeft) continue;
    loop.leave();
    loops.splice(i--, 1);
  }
  return sleepMs;
}

/** While a report is on its way, the thread's event loop must turn often enough for it. */
function isSending(): boolean {
  for (let i = 0; i < loops.length; i++) {
    const { reporter } = loops[i]!;
    if (reporter !== undefined && reporter.exporter.pending > 0) return true;
  }
  return false;
}

/**
 * Sleeps and looks, in as few steps as may be: at each wake-up the code is cold. The thread's event loop turns only while a
 * session is open, for the inspector's answers, and while a report is on its way.
 */
function run(): void {
  for (;;) {
    const at = now();
    own.awake(at);
    float[ThreadFloat.LAST_LOOK] = at;
    if (Atomics.load(int, ThreadInt.EXIT) === 1) {
      sampler.close();
      channel.close();
      Atomics.store(int, ThreadInt.EXITED, 1);
      Atomics.notify(int, ThreadInt.EXITED);
      return;
    }
    let sleepMs = lookAtAll(at);
    const [first] = loops;
    if (first?.hasBegun && heartbeatFile?.beat(at, first.ageMs)) own.forgive(now());
    const sending = isSending();
    if (sending) {
      sleepMs = Math.min(sleepMs, loops.some(({ ageMs }) => ageMs > 0) ? SENDING_LOOK_MS : SENDING_IDLE_LOOK_MS);
    }
    const beforeSleep = now();
    own.awake(beforeSleep);
    const expectedAt = beforeSleep + sleepMs;
    float[ThreadFloat.NEXT_LOOK] = expectedAt;
    Atomics.wait(int, ThreadInt.WAKE, 0, sleepMs);
    // Work begins on a loop that was idle until now, or a loop has come.
    const isWoken = Atomics.exchange(int, ThreadInt.WAKE, 0) === 1;
    own.woke(now(), expectedAt);
    for (let i = 0; i < loops.length; i++) loops[i]!.woke(isWoken);
    if (isWoken) drain();
    if (sampler.isOpen || sending) {
      setImmediate(run);
      return;
    }
  }
}

watch(data.loop);
// A session does not keep the thread alive, and its loop is empty between two immediates.
const alive = setInterval(() => {}, 2 ** 30);
process.once('exit', () => clearInterval(alive));
run();
