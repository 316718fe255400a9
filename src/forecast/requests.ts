import * as semconv from '../semconv.ts';
import { METHODS, ROUTE } from './otlp.ts';
import type { AttributeValue, TracedSpan } from './spans.ts';
import type { Interval } from './timeline.ts';

/**
 * Code that held the loop. What the spans did not say is `undefined`.
 *
 * @since 0.1.0
 */
export interface Culprit {
  /** `code.function.name`: the innermost function of the application's own. */
  readonly function: string | undefined;
  /** `code.file.path`. */
  readonly file: string | undefined;
  /** `code.line.number`. */
  readonly line: number | undefined;
  /** `event_loop.blocked.section`: the client call at fault, as `node-rdkafka commitMessageSync`. */
  readonly section: string | undefined;
  /** The name of the span that was marked. */
  readonly span: string;
}

/** One stretch in which a culprit held a loop. */
export interface Hold extends Interval {
  /** Which loop. */
  readonly loop: string;
  /** Holds of one culprit have the same. */
  readonly key: string;
  readonly culprit: Culprit;
  /** Whose it is; `undefined` where its traces lead to no request of the process. */
  readonly request: Request | undefined;
  /** How many other requests were under way, by the span's own account; `undefined` where that is of several stretches. */
  readonly victims: number | undefined;
}

/** What a client asked for, by its server span. */
export interface Request {
  /** On which loop. */
  loop: string;
  readonly route: string;
  readonly startMs: number;
  readonly endMs: number;
  /** For how long it had stood unread before its span began, at least; `undefined` where that is not known. */
  readonly doorMs: number | undefined;
  readonly holds: Hold[];
}

export interface Evidence {
  readonly requests: Request[];
  /** In the order of their starts; those of one loop do not overlap. */
  readonly holds: Hold[];
  /** The longest gap between two holds in which the loop was busy all the same: the threshold of what is a stall. */
  readonly gapMs: number;
}

const DEFAULT_GAP_MS = 20;
const MAIN_THREAD = 0;

/** Finds the requests and the stretches in which they, or anything else, held the loop. */
export function evidenceOf(spans: readonly TracedSpan[]): Evidence {
  const byId = new Map(spans.map((span) => [idOf(span.traceId, span.spanId), span]));
  const requests = new Map<TracedSpan, Request>();
  const requestOf = (span: TracedSpan | undefined): Request | undefined => {
    // A loop in the parents would be somebody's mistake, and ours to survive.
    const seen = new Set<TracedSpan>();
    let request: Request | undefined;
    for (let at = span; at && at.process === span?.process && !seen.has(at); at = parentOf(byId, at)) {
      seen.add(at);
      request = requests.get(at) ?? request;
    }
    return request;
  };
  for (const span of spans) if (span.isServer) requests.set(span, newRequest(span));
  // A framework's own server span inside of the HTTP server's is the same request.
  for (const [span, request] of requests) if (requestOf(span) !== request) requests.delete(span);

  const holds: Hold[] = [];
  let gapMs = 0;
  for (const span of spans) {
    for (const { attributes, timeMs } of stallsOf(span)) {
      const owner = span.name === semconv.SPAN_STALL ? (parentOf(byId, span) ?? span) : span;
      const durationMs = secondsIn(attributes, semconv.ATTR_STALL_DURATION);
      if (durationMs === undefined) continue;
      gapMs = Math.max(gapMs, secondsIn(attributes, semconv.ATTR_STALL_THRESHOLD) ?? DEFAULT_GAP_MS);
      const culprit = culpritOf(attributes, owner);
      const request = requestOf(owner);
      const victims = owner.attributes[semconv.ATTR_BLOCKED_VICTIMS];
      holds.push({
        loop: loopOf(span.process, threadOf(owner)),
        fromMs: timeMs,
        toMs: timeMs + durationMs,
        key: keyOf(culprit),
        culprit,
        request,
        victims:
          owner.attributes[semconv.ATTR_BLOCKED_COUNT] === 1 && typeof victims === 'number' ? victims : undefined,
      });
    }
  }
  const queued = queueUp(holds);
  for (const hold of queued) hold.request?.holds.push(hold);
  placeOnLoops(requests, queued);
  return { requests: [...requests.values()], holds: queued, gapMs };
}

/** A process's loops are told apart by their threads, and a mark says on which it is. */
const loopOf = (process: string, thread: number): string => `${process} thread ${thread}`;

function threadOf({ attributes }: TracedSpan): number {
  return Number(attributes[semconv.ATTR_THREAD_ID] ?? MAIN_THREAD);
}

/**
 * A request that is not marked does not say on which thread it was: on the only one of its process that was held, or else on
 * the main one.
 */
function placeOnLoops(requests: ReadonlyMap<TracedSpan, Request>, holds: readonly Hold[]): void {
  const loops = new Set(holds.map(({ loop }) => loop));
  const threads = new Map<string, Set<string>>();
  for (const [{ process }, { holds: own }] of requests) {
    const held = threads.get(process) ?? new Set();
    for (const { loop } of own) held.add(loop);
    threads.set(process, held);
  }
  for (const [{ process }, request] of requests) {
    const [only, ...others] = threads.get(process)!;
    const main = loopOf(process, MAIN_THREAD);
    request.loop =
      request.holds[0]?.loop ?? (only !== undefined && others.length === 0 && !loops.has(main) ? only : main);
  }
}

/**
 * A loop does one thing at a time. Of several that shared a turn piece by piece only the sums are known, from when their
 * first pieces began: those come one after the other here.
 */
function queueUp(holds: Hold[]): Hold[] {
  const ends = new Map<string, number>();
  return holds
    .sort((a, b) => a.fromMs - b.fromMs)
    .map((hold) => {
      const fromMs = Math.max(hold.fromMs, ends.get(hold.loop) ?? hold.fromMs);
      const toMs = fromMs + hold.toMs - hold.fromMs;
      ends.set(hold.loop, toMs);
      return { ...hold, fromMs, toMs };
    });
}

const idOf = (traceId: string, spanId: string): string => `${traceId}/${spanId}`;

function parentOf(
  byId: ReadonlyMap<string, TracedSpan>,
  { traceId, parentSpanId }: TracedSpan,
): TracedSpan | undefined {
  return parentSpanId === undefined ? undefined : byId.get(idOf(traceId, parentSpanId));
}

function newRequest({ process, attributes, name, startMs, endMs }: TracedSpan): Request {
  const route = text(attributes[ROUTE]);
  const method = METHODS.map((key) => text(attributes[key])).find(Boolean);
  return {
    loop: loopOf(process, MAIN_THREAD),
    route: route === undefined ? name : [method, route].filter(Boolean).join(' '),
    startMs,
    endMs: Math.max(startMs, endMs),
    doorMs: secondsIn(attributes, semconv.ATTR_STALLED_BEFORE_START),
    holds: [],
  };
}

/** A stall is an event of its culprit, or a child span (option `stalls`). */
function stallsOf(span: TracedSpan): { attributes: TracedSpan['attributes']; timeMs: number }[] {
  if (span.name === semconv.SPAN_STALL) return [{ attributes: span.attributes, timeMs: span.startMs }];
  return span.events.filter((event) => event.name === semconv.EVENT_STALL);
}

/** The stall says itself where in the code it was, and in which call. */
function culpritOf(stall: TracedSpan['attributes'], owner: TracedSpan): Culprit {
  const line = stall[semconv.ATTR_CODE_LINE_NUMBER];
  return {
    function: text(stall[semconv.ATTR_CODE_FUNCTION_NAME]),
    file: text(stall[semconv.ATTR_CODE_FILE_PATH]),
    line: typeof line === 'number' ? line : undefined,
    section: text(stall[semconv.ATTR_BLOCKED_SECTION]),
    span: owner.name,
  };
}

/** A place in the code is one culprit, whichever span it was in. */
function keyOf({ function: name, file, line, section, span }: Culprit): string {
  return JSON.stringify(name === undefined && file === undefined ? [section, span] : [name, file, line]);
}

function secondsIn(attributes: TracedSpan['attributes'], name: string): number | undefined {
  const value = attributes[name];
  return typeof value === 'number' && value >= 0 && Number.isFinite(value) ? value * 1e3 : undefined;
}

const text = (value: AttributeValue): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
