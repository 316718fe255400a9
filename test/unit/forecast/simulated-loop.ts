import type { TracedSpan } from '../../../src/forecast/spans.ts';

/** What a client asks of the loop: read, wait for something else, call what may hold the loop, answer. */
export interface Visit {
  readonly route: string;
  /** When its client sends it. */
  readonly atMs: number;
  /** For how long its handler awaits something (a query) before the call. */
  readonly waitMs: number;
  /** How long the call takes; 0 where there is none. */
  readonly callMs: number;
  readonly call: string;
}

/** What becomes of a call: it holds the loop, it lets it go on and is awaited, or nobody waits for it. */
export type CallMode = 'blocks' | 'awaited' | 'gone';

/** What happened to one of them. */
export interface Visited {
  readonly visit: Visit;
  readonly startMs: number;
  readonly endMs: number;
  /** When it held the loop, if it did. */
  readonly held: { fromMs: number; toMs: number } | undefined;
}

/** What the loop does for a request besides, each time it gets to it. */
const STEP_MS = 0.5;
const THRESHOLD_MS = 20;

/**
 * One event loop, which does what is ready in the order in which it became ready, or, most unfairly, what came last first.
 * Of the same visits the world as it is and the world after a fix can be had, and neither knows anything of forecasts.
 */
export function simulate(
  visits: readonly Visit[],
  modeOf: (call: string) => CallMode,
  order: 'fair' | 'unfair' = 'fair',
): Visited[] {
  const ready: { atMs: number; run(nowMs: number): number }[] = [];
  const done: Visited[] = [];
  for (const visit of visits) {
    ready.push({
      atMs: visit.atMs,
      run(startMs) {
        const answer = (held?: Visited['held']) => (nowMs: number) => {
          done.push({ visit, startMs, endMs: nowMs + STEP_MS, held });
          return STEP_MS;
        };
        const call = (nowMs: number): number => {
          const mode = visit.callMs > 0 ? modeOf(visit.call) : 'gone';
          if (mode === 'blocks') {
            const toMs = nowMs + visit.callMs;
            return visit.callMs + answer({ fromMs: nowMs, toMs })(toMs);
          }
          if (mode === 'gone') return answer()(nowMs);
          ready.push({ atMs: nowMs + STEP_MS + visit.callMs, run: answer() });
          return STEP_MS;
        };
        ready.push({ atMs: startMs + STEP_MS + visit.waitMs, run: call });
        return STEP_MS;
      },
    });
  }
  let nowMs = 0;
  while (ready.length > 0) {
    const due = order === 'fair' ? [] : ready.filter((task) => task.atMs <= nowMs);
    const next = due.at(-1) ?? ready.reduce((first, task) => (task.atMs < first.atMs ? task : first));
    ready.splice(ready.indexOf(next), 1);
    nowMs = Math.max(nowMs, next.atMs);
    nowMs += next.run(nowMs);
  }
  return done;
}

/** What loopblame exports of it. */
export function spansOfVisits(visited: readonly Visited[], process = 'p'): TracedSpan[] {
  return visited.map(({ visit, startMs, endMs, held }, i) => ({
    process,
    traceId: `${process}-${i}`,
    spanId: 'a',
    parentSpanId: undefined,
    name: visit.route,
    isServer: true,
    startMs,
    endMs,
    attributes: {
      ...(startMs > visit.atMs && { 'event_loop.stalled.before_start': (startMs - visit.atMs) / 1e3 }),
      ...(held && { 'event_loop.blocked': true }),
    },
    events: held
      ? [
          {
            name: 'event_loop.stall',
            timeMs: held.fromMs,
            attributes: {
              'event_loop.stall.duration': (held.toMs - held.fromMs) / 1e3,
              'event_loop.stall.threshold': THRESHOLD_MS / 1e3,
              'event_loop.blocked.section': visit.call,
              'code.function.name': visit.call,
              'code.file.path': '/app/a.js',
              'code.line.number': 1,
            },
          },
        ]
      : [],
  }));
}

/** What their clients waited, in ms: the truth. */
export const latencies = (visited: readonly Visited[], route: string): number[] =>
  visited.filter(({ visit }) => visit.route === route).map(({ visit, endMs }) => endMs - visit.atMs);

/** A sequence of numbers from 0 to 1 that is always the same. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Visits that come at random, so many a second on average, as those of many clients who know nothing of each other do. */
export function visits(
  count: number,
  perSecond: number,
  shape: Omit<Visit, 'atMs' | 'waitMs'> & { waitMs: number | (() => number) },
  seed: number,
): Visit[] {
  const next = random(seed);
  let atMs = 0;
  return Array.from({ length: count }, () => {
    atMs += (-Math.log(1 - next()) / perSecond) * 1e3;
    return { ...shape, atMs, waitMs: typeof shape.waitMs === 'number' ? shape.waitMs : shape.waitMs() };
  });
}
