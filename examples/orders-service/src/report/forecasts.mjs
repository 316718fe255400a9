/** What a fix would buy: foretold from the blocking run's traces, beside what the fixed run measured. Pure. */
import { forecast } from 'loopblame/forecast';
import { isRequest, shownPath } from './spans.mjs';

/** One entry for each route: what a fix of the culprit that costs it most would buy. */
export function forecasts(modes, home) {
  return modes.blocking.flatMap((run, i) => {
    const { replay } = modes.fixed[i];
    const [found] = forecast(answered(run).map(plain)).culprits;
    const told = found?.routes.find(({ route, asItIs }) => route === run.route && asItIs);
    if (!told) return [];
    const { awaited, notWaiting } = told;
    const measured = {
      requests: replay.requests,
      perSecond: replay.perSecond,
      awaited: { p50Ms: quantile(replay.answeredMs, 0.5), p99Ms: quantile(replay.answeredMs, 0.99) },
      notWaiting: { p50Ms: replay.p50Ms, p99Ms: replay.p99Ms },
    };
    const { function: name = null, file, line = null, section = null } = found.culprit;
    return [
      {
        route: run.route,
        culprit: { function: name, file: shownPath(file, home), line, section },
        holdMs: found.holdMs,
        requests: told.requests,
        atTheDoor: told.atTheDoor,
        ceilingPerSecond: told.ceilingPerSecond,
        nowPerSecond: run.requestsPerSecond / run.workers.length,
        asItIs: told.asItIs,
        awaited,
        notWaiting,
        measured,
        off: { awaited: off(measured.awaited, awaited), notWaiting: off(measured.notWaiting, notWaiting) },
      },
    ];
  });
}

/**
 * Without the requests whose clients the load generator took away at its end: their spans end with their connections, and
 * not when they would have been answered.
 */
function answered({ spans, endMs }) {
  return spans.filter((span) => !isRequest(span) || span.endMs <= endMs);
}

function plain({ pid, kind, events, ...span }) {
  return {
    ...span,
    process: String(pid),
    isServer: kind === 2,
    events: events.map(({ atMs, ...event }) => ({ ...event, timeMs: atMs })),
  };
}

/** By how much it took longer than foretold, in milliseconds and in times. */
function off(measured, foretold) {
  const ratio = (key) => (foretold[key] > 0 ? measured[key] / foretold[key] : null);
  return {
    p50Ms: measured.p50Ms - foretold.p50Ms,
    p99Ms: foretold.p99Ms === undefined ? null : measured.p99Ms - foretold.p99Ms,
    p50Ratio: ratio('p50Ms'),
    p99Ratio: ratio('p99Ms'),
  };
}

function quantile(values, q) {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)];
}
