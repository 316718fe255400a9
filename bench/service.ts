/** What loopblame costs a traced service that is busy: HTTP requests that each read one row from PostgreSQL. */
import { postgresIsMissing, startPostgres } from '../test/support/postgres.ts';
import type { Bench } from './support/bench.ts';
import { leaveToService, pinningIsMissing, SERVICE_CPU } from './support/cpus.ts';
import { load, p99 } from './support/load.ts';
import { type BenchProcess, startProcess } from './support/process.ts';
import { type Goal, measurePair, type Pair, ratios, spreadOf } from './support/statistics.ts';
import { SPREAD_COLUMNS, spreadCells } from './support/table.ts';

const CONNECTIONS = 10;
const GOALS = {
  throughput: { atLeast: 0.99, tolerance: 0.02 },
  cpu: { atMost: 1.01, tolerance: 0.01 },
  p99: { atMost: 1.02, tolerance: 0.04 },
} satisfies Record<string, Goal>;

interface Measured {
  requests: number;
  seconds: number;
  cpuMs: number;
  latencies: number[];
}

type Service = BenchProcess<{ port: number }>;

export const service: Bench = async ({ quick, node, say }) => {
  const [processPairs, segments, seconds] = quick ? [1, 2, 0.3] : [10, 8, 0.8];
  const rows: string[][] = [];
  const notes: string[] = [];
  const missing = postgresIsMissing();
  if (missing) notes.push(`HTTP alone: ${missing}`);
  const cannotPin = pinningIsMissing();
  if (cannotPin) notes.push(`Not measured on one saturated core: ${cannotPin}`);

  for (const cpu of cannotPin ? [undefined] : [undefined, SERVICE_CPU]) {
    const undo = cpu === undefined ? () => {} : leaveToService();
    const postgres = missing ? undefined : await startPostgres();
    const found = { throughput: [] as number[], cpu: [] as number[], p99: [] as number[], perSecond: [] as number[] };
    try {
      for (let i = 0; i < processPairs; i++) {
        const pairs = await measureProcesses({ url: postgres?.url, node, cpu, segments, seconds });
        found.throughput.push(spreadOf(ratios(pairs, (m) => m.requests / m.seconds)).median);
        found.cpu.push(spreadOf(ratios(pairs, (m) => m.cpuMs / m.requests)).median);
        found.p99.push(pooledP99(pairs, 'with') / pooledP99(pairs, 'without'));
        found.perSecond.push(...pairs.map((pair) => pair.without.requests / pair.without.seconds));
        say(`service ${cpu === undefined ? 'free' : 'pinned'}: pair ${i + 1} of ${processPairs}`);
      }
    } finally {
      postgres?.close();
      undo();
    }
    const where = cpu === undefined ? 'all cores' : 'one core';
    const rate = `${Math.round(spreadOf(found.perSecond).median)}/s`;
    rows.push([`throughput, ${where}`, rate, ...spreadCells(spreadOf(found.throughput), '', GOALS.throughput)]);
    rows.push([`CPU per request, ${where}`, rate, ...spreadCells(spreadOf(found.cpu), '', GOALS.cpu)]);
    rows.push([`p99, ${where}`, rate, ...spreadCells(spreadOf(found.p99), '', GOALS.p99)]);
  }
  return {
    title: `bench/service.ts: a traced HTTP${missing ? '' : ' and PostgreSQL'} service, with loopblame / without`,
    conditions: [
      `${CONNECTIONS} connections`,
      `${processPairs} pairs of processes, each ${segments} × ${seconds} s of load in turns`,
      'tolerance ±0.02, ±0.01, ±0.04',
    ],
    columns: ['', 'without', ...SPREAD_COLUMNS],
    rows,
    notes: [
      'one core: all threads of the service on one saturated core, the load and the database on the others',
      ...notes,
    ],
  };
};

/** Both live at once, so that what the machine does meanwhile befalls both; they get load by turns. */
async function measureProcesses(options: {
  url: string | undefined;
  node: string;
  cpu: number | undefined;
  segments: number;
  seconds: number;
}): Promise<Pair<Measured>[]> {
  const { url, node, cpu, segments, seconds } = options;
  const started: Service[] = [];
  const start = async (loopblame: boolean): Promise<Service> => {
    const args = url ? [url] : [];
    const service = await startProcess<{ port: number }>('service.mjs', { loopblame, args, cpu, node });
    started.push(service);
    return service;
  };
  try {
    const services = await measurePair(start);
    const of = (loopblame: boolean): Service => (loopblame ? services.with : services.without);
    // compiled by then
    const warm = await measurePair((loopblame) => load(of(loopblame).ready.port, 3000, CONNECTIONS));
    const amount = Math.ceil((seconds * warm.without.requests) / warm.without.seconds);
    const pairs: Pair<Measured>[] = [];
    for (let i = 0; i < segments; i++) {
      pairs.push(await measurePair((loopblame) => measure(of(loopblame), amount)));
    }
    return pairs;
  } finally {
    for (const service of started) await service.stop();
  }
}

async function measure(service: Service, amount: number): Promise<Measured> {
  const before = await service.ask<number>('cpuMs');
  const { seconds, requests, latencies } = await load(service.ready.port, amount, CONNECTIONS);
  return { seconds, requests, latencies, cpuMs: (await service.ask<number>('cpuMs')) - before };
}

const pooledP99 = (pairs: readonly Pair<Measured>[], which: 'with' | 'without'): number =>
  p99(pairs.flatMap((pair) => pair[which].latencies));
