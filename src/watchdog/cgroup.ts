import { readFileSync } from 'node:fs';
import { ProcFile } from './thread-state.ts';

// Kept from before it is patched.
const read = readFileSync;

/** Where the process's cgroup keeps its CPU statistics, likeliest first. */
function candidates(): string[] {
  let groups = '';
  try {
    groups = read('/proc/self/cgroup', 'latin1');
  } catch {
    // not Linux, or hidden
  }
  const paths: string[] = [];
  for (const line of groups.split('\n')) {
    // "0::/user.slice/…" (v2) or "4:cpu,cpuacct:/docker/…" (v1)
    const [, controllers, path] = line.split(':', 3);
    if (path === undefined) continue;
    if (controllers === '') paths.push(`/sys/fs/cgroup${path}/cpu.stat`);
    else if (controllers?.split(',').includes('cpu')) paths.push(`/sys/fs/cgroup/cpu${path}/cpu.stat`);
  }
  // inside a container the group's own path is that of the host
  return [...paths, '/sys/fs/cgroup/cpu.stat', '/sys/fs/cgroup/cpu/cpu.stat'];
}

/**
 * Time in milliseconds from a `cpu.stat`; -1 where it tells none (a group without a quota, v2's root). Without regular
 * expressions: it is read in samples too, and must leave the interrupted code's `RegExp.$1` alone.
 */
export function parseThrottled(stat: string): number {
  for (const line of stat.split('\n')) {
    const [name, value] = line.split(' ');
    if (name === 'throttled_usec') return Number(value) / 1e3;
    if (name === 'throttled_time') return Number(value) / 1e6;
  }
  return -1;
}

/** For how long the process's cgroup was kept from its CPUs by a quota: why a loop was starved. */
export class CgroupThrottling {
  // Found at once: in a sample, `readFileSync` would write to where the interrupted code's own `stat` keeps its result.
  readonly #file: ProcFile = find();

  /** Milliseconds in all; -1 where nothing tells. */
  throttledMs(): number {
    return parseThrottled(this.#file.read());
  }

  close(): void {
    this.#file?.close();
  }
}

function find(): ProcFile {
  for (const path of candidates()) {
    const file = new ProcFile(path);
    if (parseThrottled(file.read()) >= 0) return file;
    file.close();
  }
  return new ProcFile('');
}
