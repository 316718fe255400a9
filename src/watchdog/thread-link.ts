import { BroadcastChannel, getEnvironmentData, isMainThread, setEnvironmentData, Worker } from 'node:worker_threads';
import { logInfo, warnOnce } from '../log.ts';
import type { ReporterMessage, ReporterTrouble } from '../still-blocked/reporter.ts';
import { VERSION } from '../version.ts';
import {
  type LoopData,
  LoopInt,
  type SharedBlock,
  sharedBlock,
  type ThreadData,
  ThreadInt,
  type ThreadMessage,
  wakeThread,
} from './layout.ts';
import threadSource from './thread.ts?worker';

/**
 * How long the exit handler waits for the thread to close its inspector session. Measured: 0 to 7 ms, on a machine that is
 * short of CPUs 32 and once more than 50, which is when Node says that it waits for a debugger.
 */
const EXIT_WAIT_MS = 500;

/** Where worker threads find the thread that watches the process: Node copies it into each that is started later. */
const OFFER = 'loopblame.watchdog';
interface Offer {
  /** The memory's layout is that of one version. */
  readonly version: string;
  readonly buffer: SharedArrayBuffer;
  readonly channel: string;
}

// Kept from before it is patched: our own calls are no sections of the application's.
const atomicsWait = Atomics.wait;

/** The watchdog's thread, as one loop has it. */
export interface ThreadLink {
  readonly shared: SharedBlock;
  /** Whether another loop has started it. */
  readonly isShared: boolean;
  /** Whether it looks at the loop, as far as is known. */
  readonly isAlive: boolean;
  start(loop: LoopData, heartbeatFile: string): void;
  /** For the reports on the loop; lost while the link is not started. */
  report(message: ReporterMessage): void;
  /** The loop's thread exits, or the loop is watched no more: when this returns, no inspector session is open for it. */
  leave(): void;
  /** Ends what `leave()` left. */
  stop(): void;
}

/** One thread watches all loops of the process: the main thread's starts it, and those of worker threads join. */
export function threadLink(canJoin: boolean): ThreadLink {
  const offer = isMainThread || !canJoin ? undefined : (getEnvironmentData(OFFER) as Offer | undefined);
  return offer?.version === VERSION ? new JoinedThread(offer) : new OwnThread();
}

let threads = 0;

/** The thread of the loop that starts it. */
class OwnThread implements ThreadLink {
  readonly shared = sharedBlock();
  readonly isShared = false;
  readonly #channel = `${OFFER} ${process.pid} ${Math.random()} ${threads++}`;
  #worker: Worker | undefined;
  #threadId = 0;

  get isAlive(): boolean {
    return this.#worker !== undefined;
  }

  start(loop: LoopData, heartbeatFile: string): void {
    const { int, buffer } = this.shared;
    Atomics.store(int, ThreadInt.EXIT, 0);
    Atomics.store(int, ThreadInt.EXITED, 0);
    this.#threadId = loop.threadId;
    const workerData: ThreadData = { buffer, channel: this.#channel, loop, heartbeatFile };
    try {
      const worker = new Worker(threadSource, {
        eval: true,
        name: 'loopblame',
        workerData,
        execArgv: [],
        env: {},
        stdin: false,
      });
      // Before unref(): a listener that is added later keeps the process alive.
      worker.on('message', ({ level, kind, message }: ReporterTrouble) => {
        if (level === 'warn') warnOnce(kind, message);
        else logInfo(message);
      });
      worker.unref();
      worker.once('error', (error) => {
        warnOnce('thread', 'the watchdog thread has ended: blocks are measured, but not sampled', error);
        this.#worker = undefined;
        // for those who have joined
        Atomics.store(int, ThreadInt.EXIT, 1);
      });
      this.#worker = worker;
      setEnvironmentData(OFFER, { version: VERSION, buffer, channel: this.#channel } satisfies Offer);
    } catch (error) {
      warnOnce('thread', 'the watchdog thread cannot start: blocks are measured, but not sampled', error);
    }
  }

  report(report: ReporterMessage): void {
    this.#worker?.postMessage({ threadId: this.#threadId, report } satisfies ThreadMessage);
  }

  leave(): void {
    const { int } = this.shared;
    Atomics.store(int, ThreadInt.EXIT, 1);
    wakeThread(this.shared);
    if (Atomics.load(int, ThreadInt.SESSION) === 1) atomicsWait(int, ThreadInt.EXITED, 0, EXIT_WAIT_MS);
  }

  stop(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    if ((getEnvironmentData(OFFER) as Offer | undefined)?.channel === this.#channel)
      setEnvironmentData(OFFER, undefined);
    void worker?.terminate().catch(() => {});
  }
}

/** The thread that the main thread's loop has started. */
class JoinedThread implements ThreadLink {
  readonly isShared = true;
  readonly shared: SharedBlock;
  readonly #channel: string;
  #loop: LoopData | undefined;

  constructor({ buffer, channel }: Offer) {
    this.shared = sharedBlock(buffer);
    this.#channel = channel;
  }

  get isAlive(): boolean {
    return this.#loop !== undefined && Atomics.load(this.shared.int, ThreadInt.EXIT) === 0;
  }

  start(loop: LoopData): void {
    this.#loop = loop;
    Atomics.store(sharedBlock(loop.buffer).int, LoopInt.LEFT, 0);
    this.#post({ threadId: loop.threadId, join: loop });
    wakeThread(this.shared);
  }

  report(report: ReporterMessage): void {
    if (this.#loop) this.#post({ threadId: this.#loop.threadId, report });
  }

  leave(): void {
    if (!this.#loop) return;
    Atomics.store(sharedBlock(this.#loop.buffer).int, LoopInt.LEFT, 1);
    wakeThread(this.shared);
  }

  stop(): void {
    this.#loop = undefined;
  }

  /** Opened for one message: whatever else is said there would pile up at a channel that is not read. */
  #post(message: ThreadMessage): void {
    const channel = new BroadcastChannel(this.#channel);
    channel.postMessage(message);
    channel.close();
  }
}
