/** What loopblame costs a process that does nothing: memory, an idle CPU, and the time until it listens. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './support/bench.ts';
import { type BenchProcess, startProcess } from './support/process.ts';
import { differences, type Goal, measurePair, type Pair, spreadOf } from './support/statistics.ts';
import { SPREAD_COLUMNS, spreadCells } from './support/table.ts';

const GOALS = {
  memory: { atMost: 20, tolerance: 2 },
  idle: { atMost: 0.3, tolerance: 0.1 },
  startup: { atMost: 40, tolerance: 10 },
} satisfies Record<string, Goal>;

interface Ready {
  readonly readyMs: number;
  readonly cpuMs: number;
}

interface Measured {
  readonly rssMb: number;
  readonly idlePercent: number;
  readonly readyMs: number;
  readonly readyCpuMs: number;
}

export const footprint: Bench = async ({ quick, node, say }) => {
  const [pairCount, idleSeconds] = quick ? [2, 1] : [8, 20];
  const pairs: Pair<Measured>[] = [];
  for (let i = 0; i < pairCount; i++) {
    pairs.push(await measureBoth(node, idleSeconds));
    say(`footprint: pair ${i + 1} of ${pairCount}`);
  }
  const row = (title: string, unit: string, value: (m: Measured) => number, goal: Goal): string[] => [
    title,
    spreadOf(pairs.map((pair) => value(pair.without))).median.toFixed(unit === '%' ? 2 : 1),
    ...spreadCells(spreadOf(differences(pairs, value)), unit, goal),
  ];
  return {
    title: 'bench/footprint.ts: a process with an SDK and an HTTP server that nobody asks, with − without loopblame',
    conditions: [`${idleSeconds} s of idling, both at once`, 'tolerance ±2 MB, ±0.1 % of a core, ±10 ms'],
    columns: ['', 'without', ...SPREAD_COLUMNS],
    rows: [
      row('RSS, MB', 'MB', (m) => m.rssMb, GOALS.memory),
      row('idle, % of a core', '%', (m) => m.idlePercent, GOALS.idle),
      row('start to listening, ms', 'ms', (m) => m.readyMs, GOALS.startup),
      row('the same, CPU of all threads, ms', 'ms', (m) => m.readyCpuMs, GOALS.startup),
    ],
  };
};

/** One after the other until they listen; then both idle at once, so that the machine is the same for both. */
async function measureBoth(node: string, idleSeconds: number): Promise<Pair<Measured>> {
  const started: BenchProcess<Ready>[] = [];
  try {
    const processes = await measurePair(async (loopblame) => {
      const process = await startProcess<Ready>('idle.mjs', { loopblame, node });
      started.push(process);
      return process;
    });
    // start-up's own garbage and timers are over by then
    await sleep(2000);
    const before = { with: cpuMs(processes.with.pid), without: cpuMs(processes.without.pid) };
    await sleep(idleSeconds * 1e3);
    const measured = (which: 'with' | 'without'): Measured => ({
      rssMb: rssMb(processes[which].pid),
      idlePercent: (cpuMs(processes[which].pid) - before[which]) / (10 * idleSeconds),
      readyMs: processes[which].ready.readyMs,
      readyCpuMs: processes[which].ready.cpuMs,
    });
    return { with: measured('with'), without: measured('without') };
  } finally {
    for (const process of started) await process.stop();
  }
}

/** CPU time of all threads, from outside: asking the process would wake it. */
function cpuMs(pid: number): number {
  // the fields after the command's closing parenthesis: utime and stime are the 14th and 15th of all, in 1/100 s
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /, '').split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

function rssMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kilobytes) / 1024;
}
