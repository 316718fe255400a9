import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';

/**
 * What Linux tells about a thread. The functions of `fs` are kept from before anything is patched: a section around
 * `fs.readSync` must not see our own reads.
 */
const fs = { closeSync, openSync, readdirSync, readlinkSync, readSync };

/** One small file under /proc, kept open: a reading costs 1 to 9 µs. */
export class ProcFile {
  #fd: number;
  readonly #buffer: Buffer = Buffer.alloc(256);

  constructor(path: string) {
    let fd = -1;
    try {
      fd = fs.openSync(path, 'r');
    } catch {
      // not Linux, or hidden: reads as empty
    }
    this.#fd = fd;
  }

  /** Empty where the file can't be read. */
  read(): string {
    if (this.#fd < 0) return '';
    try {
      return this.#buffer.toString('latin1', 0, fs.readSync(this.#fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      return '';
    }
  }

  close(): void {
    // A later read must not meet somebody else's descriptor of that number.
    const fd = this.#fd;
    this.#fd = -1;
    if (fd >= 0) fs.closeSync(fd);
  }
}

/** CPU time and time waited for a CPU, in ms, since the thread began. It moves with the kernel's tick (4 ms). */
export interface SchedTimes {
  readonly run: number;
  readonly queue: number;
}

/** Reads `schedstat`; `undefined` where there is none. */
export function schedTimes(file: ProcFile): SchedTimes | undefined {
  const [run, queue] = file.read().split(' ');
  return run && queue ? { run: Number(run) / 1e6, queue: Number(queue) / 1e6 } : undefined;
}

/** The calling thread's CPU time alone, where there is no /proc: Node 23.9 and later have it on every system. */
export function ownCpuTime(): { run: number; queue: undefined } | undefined {
  const usage = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage?.();
  return usage && { run: (usage.user + usage.system) / 1e3, queue: undefined };
}

interface SystemCalls {
  readonly epoll: readonly number[];
  readonly futex: number;
}
// epoll_wait, epoll_pwait, epoll_pwait2
const SYSTEM_CALLS: Readonly<Record<string, SystemCalls>> = {
  x64: { epoll: [232, 281, 441], futex: 202 },
  arm64: { epoll: [22, 441], futex: 98 },
};
const systemCalls = SYSTEM_CALLS[process.arch];

/** The system call that a thread is in, by its `syscall` file. */
export interface SystemCall {
  /** -1 where it is in none, or can't be read. */
  readonly number: number;
  /** Its first argument. */
  readonly argument: number;
}

/** "281 0xe 0x7ffd… …", "running", or "-1 0x…" (blocked, but in no system call) */
function systemCallOf(text: string): SystemCall {
  const [number, argument] = text.split(' ', 2);
  return argument ? { number: Number(number), argument: Number(argument) } : { number: -1, argument: 0 };
}

/** The system call that a thread is in, look by look: an idle loop's is the same each time, to the letter. */
export class SystemCallFile {
  readonly #file: ProcFile;
  #text = '';
  #call: SystemCall = systemCallOf('');

  constructor(tid: number) {
    this.#file = new ProcFile(taskFile(tid, 'syscall'));
  }

  read(): SystemCall {
    const text = this.#file.read();
    if (text !== this.#text) {
      this.#text = text;
      this.#call = systemCallOf(text);
    }
    return this.#call;
  }

  close(): void {
    this.#file.close();
  }
}

/** Whether a thread sleeps in one of these epoll descriptors. */
export function sleepsIn(epollFds: readonly number[], call: SystemCall): boolean {
  return systemCalls?.epoll.includes(call.number) === true && epollFds.includes(call.argument);
}

/** What a sleeping thread waits for: another thread, or a system call. */
export type SleepsIn = 'thread' | 'call';

/** What a thread sleeps in; `undefined` where it is in no system call, or can't be read. */
export function sleepOf(call: SystemCall): SleepsIn | undefined {
  if (call.number < 0) return undefined;
  return call.number === systemCalls?.futex ? 'thread' : 'call';
}

/**
 * The process's epoll descriptors at this moment. Taken at start, they hold the loop's own and never that of a
 * `spawnSync`, which sleeps in an epoll loop of its own and must not look idle. Empty where the thread's state can't be
 * read: other systems, other processors, hidden /proc.
 */
export function epollDescriptors(syscallFile: ProcFile): number[] {
  if (!systemCalls || syscallFile.read() === '') return [];
  const found: number[] = [];
  try {
    for (const name of fs.readdirSync('/proc/self/fd')) {
      try {
        if (fs.readlinkSync(`/proc/self/fd/${name}`) === 'anon_inode:[eventpoll]') found.push(Number(name));
      } catch {
        // the descriptor of this very listing is gone by now
      }
    }
  } catch {
    // hidden
  }
  return found;
}

/** The kernel's id of the calling thread; the process's, which is the main thread's, where it can't be read. */
export function ownThreadId(): number {
  try {
    // "4711/task/4712"
    return Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1)) || process.pid;
  } catch {
    return process.pid;
  }
}

/** Paths of a thread's files. */
export const taskFile = (tid: number, name: 'schedstat' | 'syscall' | 'wchan'): string =>
  `/proc/self/task/${tid}/${name}`;
