/** From what was measured, and the spans that arrived, to what there is to say about it. Pure. */
import { forecasts } from './forecasts.mjs';
import { isBlocked, isRequest, placeOf, tracesOf } from './spans.mjs';

/** Of all the harm. */
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
      .sort((a, b) => b.harmSeconds - a.harmSeconds),
    forecasts: forecasts(modes, home),
  };
}

/**
 * The culprits of a run that explain it. On a machine with other things to do any code is held up for some milliseconds
 * now and then: true, counted, and not what one should read first.
 */
export function mainCulprits(culprits, mode) {
  const all = culprits.filter((culprit) => culprit.mode === mode);
  const harm = sum(all.map((culprit) => culprit.harmSeconds));
  return all.filter((culprit) => culprit.harmSeconds >= harm * WORTH_TELLING);
}

function summary({ route, spans, workers, requestsPerSecond, p50Ms, p99Ms, failedRequests, replay }) {
  const own = tracesOf(spans, route);
  const requests = own.filter(isRequest);
  return {
    route,
    requestsPerSecond,
    p50Ms,
    p99Ms,
    servedAtATime: sum(workers.map((worker) => worker.servedAtATime)),
    cpuPercent: sum(workers.map((worker) => worker.cpuPercent)) / workers.length,
    writes: sum(workers.map((worker) => worker.writes)),
    requests: requests.length,
    atTheDoor: requests.filter((span) => span.attributes['event_loop.stalled.before_start'] > 0).length,
    spans: own.length,
    blockedSpans: own.filter(isBlocked).length,
    failed: failedRequests + sum(workers.map((worker) => worker.failedWrites)) + (replay?.failed ?? 0),
  };
}

/** One entry for each place in the code that held the loop, with what its spans say that this cost the other requests. */
function culprits(mode, runs, home) {
  const places = new Map();
  for (const span of runs.flatMap((run) => run.spans).filter(isBlocked)) {
    const place = { mode, ...placeOf(span, home) };
    const key = JSON.stringify(place);
    const seen = places.get(key) ?? { place, count: 0, worstMs: 0, others: [], harmSeconds: 0 };
    places.set(key, seen);
    seen.count += span.attributes['event_loop.blocked.count'];
    seen.worstMs = Math.max(seen.worstMs, span.attributes['event_loop.blocked.max'] * 1000);
    seen.others.push(span.attributes['event_loop.blocked.victims']);
    seen.harmSeconds += span.attributes['event_loop.blocked.harm'];
  }
  return [...places.values()].map(({ place, count, worstMs, others, harmSeconds }) => ({
    ...place,
    count,
    worstMs,
    othersMedian: median(others),
    othersMost: Math.max(0, ...others),
    harmSeconds,
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
