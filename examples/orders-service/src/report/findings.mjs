/** From what was measured, and the spans that arrived, to what there is to say about it. Pure. */
import { isBlocked, othersDuring, overlapMs, placeOf, requestsByProcess, stretchesOf, tracesOf } from './spans.mjs';

/** Of all the time that others lost. */
const WORTH_TELLING = 0.02;

/**
 * @param {Record<string, object[]>} modes what run() returned: by mode, one entry a route
 * @param {string} home the folder that file paths are shown relative to
 */
export function findings(modes, home) {
  return {
    modes: mapValues(modes, (runs) => runs.map(summary)),
    culprits: Object.entries(modes)
      .flatMap(([mode, runs]) => culprits(mode, runs, home))
      .sort((a, b) => b.othersLostSeconds - a.othersLostSeconds),
  };
}

/**
 * The culprits of a run that explain it. On a machine with other things to do any code is held up for some milliseconds
 * now and then: true, counted, and not what one should read first.
 */
export function mainCulprits(culprits, mode) {
  const all = culprits.filter((culprit) => culprit.mode === mode);
  const lost = sum(all.map((culprit) => culprit.othersLostSeconds));
  return all.filter((culprit) => culprit.othersLostSeconds >= lost * WORTH_TELLING);
}

function summary({ route, spans, workers, requestsPerSecond, p50Ms, p99Ms, failedRequests }) {
  const own = tracesOf(spans, route);
  return {
    route,
    requestsPerSecond,
    p50Ms,
    p99Ms,
    servedAtATime: sum(workers.map((worker) => worker.servedAtATime)),
    cpuPercent: sum(workers.map((worker) => worker.cpuPercent)) / workers.length,
    writes: sum(workers.map((worker) => worker.writes)),
    spans: own.length,
    blockedSpans: own.filter(isBlocked).length,
    failed: failedRequests + sum(workers.map((worker) => worker.failedWrites)),
  };
}

/** One entry for each place in the code that held the loop, with what that cost the other requests. */
function culprits(mode, runs, home) {
  const spans = runs.flatMap((run) => run.spans);
  const requests = requestsByProcess(spans);
  const places = new Map();
  for (const span of spans.filter(isBlocked)) {
    const place = { mode, ...placeOf(span, home) };
    const key = JSON.stringify(place);
    const seen = places.get(key) ?? { place, count: 0, worstMs: 0, others: [], othersLostSeconds: 0 };
    places.set(key, seen);
    seen.count += span.attributes['event_loop.blocked.count'];
    seen.worstMs = Math.max(seen.worstMs, span.attributes['event_loop.blocked.max'] * 1000);
    for (const stretch of stretchesOf(span)) {
      const others = othersDuring(stretch, requests.get(span.pid));
      seen.others.push(others.length);
      seen.othersLostSeconds += sum(others.map((other) => overlapMs(stretch, other))) / 1000;
    }
  }
  return [...places.values()].map(({ place, count, worstMs, others, othersLostSeconds }) => ({
    ...place,
    count,
    worstMs,
    othersMedian: median(others),
    othersMost: Math.max(0, ...others),
    othersLostSeconds,
  }));
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

function median(numbers) {
  return numbers.length === 0 ? 0 : numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

function mapValues(object, map) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
