/** Which part of a run to draw, as plain rows and times. Pure. */
import {
  groupBy,
  isBlocked,
  isRequest,
  othersDuring,
  overlapMs,
  placeOf,
  requestsByProcess,
  stretchesOf,
} from './spans.mjs';

const VICTIMS_SHOWN = 9;

/**
 * One trace with a blocked stretch, and the other requests of the process that stood still meanwhile.
 *
 * Under load most requests first wait for a dozen others, and their own stretch is a sliver at the end. The one chosen
 * shows both: a stretch that fills much of the trace, and many that it made wait.
 */
export function traceScene(run, home) {
  const requests = requestsByProcess(run.spans);
  const traces = groupBy(run.spans, (span) => span.traceId);
  const candidates = run.spans.filter(isBlocked).flatMap((culprit) => {
    const spans = traces.get(culprit.traceId);
    const request = spans.find(isRequest);
    const stretch = stretchesOf(culprit).at(-1);
    // Of a client that has gone away the request's span ends early, and its handler goes on.
    if (!stretch || !request || request.endMs < stretch.endMs) return [];
    const victims = othersDuring(stretch, requests.get(culprit.pid));
    return [{ culprit, spans, request, stretch, victims }];
  });
  if (candidates.length === 0) return undefined;
  const tells = ({ request, stretch, victims }) => (victims.length * lengthOf(stretch)) / lengthOf(request);
  const { culprit, spans, request, stretch, victims } = candidates.sort((a, b) => tells(b) - tells(a))[0];

  const margin = lengthOf(request) * 0.04;
  const view = { startMs: request.startMs - margin, endMs: request.endMs + margin };
  return {
    route: run.route,
    view,
    stretch,
    place: placeOf(culprit, home),
    rows: nested(spans, request).map((row) => ({ ...row, isCulprit: row.span === culprit })),
    victims: spread(
      victims.toSorted((a, b) => a.startMs - b.startMs),
      VICTIMS_SHOWN,
    ),
    moreVictims: Math.max(0, victims.length - VICTIMS_SHOWN),
  };
}

/** What one worker's connections went through, for a few seconds in the middle of a run. */
export function workerScene(run, lengthMs) {
  const all = requestsByProcess(run.spans);
  const [pid, requests] = [...all].sort((a, b) => b[1].length - a[1].length)[0];
  const first = Math.min(...requests.map((request) => request.startMs));
  const last = Math.max(...requests.map((request) => request.endMs));
  const startMs = Math.max(first, (first + last - lengthMs) / 2);
  const view = { startMs, endMs: startMs + lengthMs };
  const seen = requests.filter((request) => overlapMs(view, request) > 0);
  const stretches = run.spans.filter((span) => span.pid === pid && isBlocked(span)).flatMap(stretchesOf);
  const connections = groupBy(
    seen.map((request) => ({
      ...request,
      stretches: stretches.filter((stretch) => stretch.traceId === request.traceId),
    })),
    (request) => request.attributes['network.peer.port'],
  );
  return {
    route: run.route,
    view,
    answered: seen.filter((request) => request.endMs <= view.endMs && request.endMs > view.startMs).length,
    connections: [...connections.values()].sort((a, b) => a[0].startMs - b[0].startMs),
  };
}

/** A trace's spans, each under its parent, with how deep they stand. */
function nested(spans, root, depth = 0) {
  const children = spans.filter((span) => span.parentSpanId === root.spanId).sort((a, b) => a.startMs - b.startMs);
  return [{ span: root, depth }, ...children.flatMap((child) => nested(spans, child, depth + 1))];
}

/** At most so many of a list, evenly taken. */
function spread(list, most) {
  if (list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.floor((i * list.length) / most)]);
}

function lengthOf({ startMs, endMs }) {
  return endMs - startMs;
}
