import { groupBy, sum } from './collections.ts';
import { seenRatioOf } from './coverage.ts';
import { atMost, type Latency, largerOf, latencyOf } from './quantiles.ts';
import { type Culprit, evidenceOf, type Hold, type Request } from './requests.ts';
import type { TracedSpan } from './spans.ts';
import { Counterfactual, type Without } from './without.ts';

export type { Culprit } from './requests.ts';

/**
 * What would become of a route's latency at the rate at which its requests come now. Other queues than the loop's, which a
 * fix may fill (a pool, the broker), no trace of a blocked process can show: tails are to be told as "at least". What no
 * culprit is known of stays in them, and so does what the loop itself did for the many that had waited. Where other culprits
 * stay, what requests still lose to those is an estimate: as if the loop served them in the order in which they came.
 *
 * @since 0.1.0
 */
export interface RouteForecast {
  /** The method and `http.route` of its server spans, or their name. */
  readonly route: string;
  /** How many requests it rests on. */
  readonly requests: number;
  /** How many of them told for how long they had stood unread. Where none did, that time is missing everywhere. */
  readonly atTheDoor: number;
  /** How many of its requests were served in a second, by all processes, from when the first was sent to when the last ended. */
  readonly requestsPerSecond: number;
  /**
   * From when a client sent its request until its span ended. `undefined`, as are the forecasts, where there are fewer
   * than {@link MIN_REQUESTS} requests.
   */
  readonly asItIs: Latency | undefined;
  /** If the culprit's call took as long, but let the loop go on meanwhile. */
  readonly awaited: Latency | undefined;
  /** If nobody waited for the culprit's call at all. */
  readonly notWaiting: Latency | undefined;
  /**
   * How many of the route's requests a process can serve in a second at most, as long as they hold its loop: 1 divided by
   * how long one holds it on average. `undefined` where none does.
   */
  readonly ceilingPerSecond: number | undefined;
  /** How many a process served in a second. */
  readonly nowPerSecond: number;
  /** Request-seconds that its requests together would not have taken, had nobody waited for the culprit's call. */
  readonly savedSeconds: number;
}

/**
 * What a fix of one culprit would buy.
 *
 * @since 0.1.0
 */
export interface CulpritForecast {
  readonly culprit: Culprit;
  /** How often it held a loop. */
  readonly holds: number;
  /** The median of those stretches, in milliseconds. */
  readonly holdMs: number;
  /** The same of all routes. */
  readonly savedSeconds: number;
  /** The routes that it made wait, those that it cost most first. */
  readonly routes: readonly RouteForecast[];
}

/**
 * What {@link forecast} says.
 *
 * @since 0.1.0
 */
export interface Forecast {
  /** Those whose fix would buy most first. */
  readonly culprits: readonly CulpritForecast[];
  /** How many requests there are in all. */
  readonly requests: number;
  /**
   * Which part is there, 0 to 1, of the requests that had to wait by the account of those that held the loop: where traces
   * are sampled, the others are missing. `undefined` where no one had to wait.
   */
  readonly seenRatio: number | undefined;
}

/**
 * Says what a fix of each culprit would buy, from exported spans: what requests would have taken had they arrived when they
 * did, without the stretches in which that code held the loop. Never more than they took, and never a throughput: that
 * depends on what would be the bottleneck then. Needs spans of one service, whole processes of it where possible.
 *
 * @param spans in any order
 * @since 0.1.0
 */
export function forecast(spans: Iterable<TracedSpan>): Forecast {
  const evidence = evidenceOf([...spans]);
  const { holds, requests } = evidence;
  const counterfactual = new Counterfactual(evidence);
  const routes = [...groupBy(requests, ({ route }) => route)].map(([route, ofRoute]) => trafficOf(route, ofRoute));
  const culprits = [...groupBy(holds, ({ key }) => key)].map(([key, ofCulprit]) =>
    forecastWithout(key, ofCulprit, routes, counterfactual),
  );
  return {
    culprits: culprits.sort((a, b) => b.savedSeconds - a.savedSeconds),
    requests: requests.length,
    seenRatio: seenRatioOf(holds, requests),
  };
}

/** A route's requests, and how fast they come. */
interface Traffic {
  readonly route: string;
  readonly requests: readonly Request[];
  readonly processes: number;
  readonly perSecond: number;
}

function trafficOf(route: string, requests: readonly Request[]): Traffic {
  let sentMs = Number.POSITIVE_INFINITY;
  let endMs = Number.NEGATIVE_INFINITY;
  for (const request of requests) {
    sentMs = Math.min(sentMs, request.startMs - (request.doorMs ?? 0));
    endMs = Math.max(endMs, request.endMs);
  }
  const processes = new Set(requests.map(({ loop }) => loop)).size;
  return { route, requests, processes, perSecond: endMs > sentMs ? requests.length / ((endMs - sentMs) / 1e3) : 0 };
}

function forecastWithout(
  key: string,
  holds: readonly Hold[],
  routes: readonly Traffic[],
  counterfactual: Counterfactual,
): CulpritForecast {
  const affected = routes
    .map((traffic) => {
      const latencies = traffic.requests.map((request) => counterfactual.without(key, request));
      return routeForecast(traffic, latencies);
    })
    .filter(({ savedSeconds }) => savedSeconds > 0)
    .sort((a, b) => b.savedSeconds - a.savedSeconds);
  const lengths = holds.map(({ fromMs, toMs }) => toMs - fromMs).sort((a, b) => a - b);
  // The span that a place is told of first is as good as any other of its spans.
  const { culprit } = holds.find((hold) => hold.culprit.section !== undefined) ?? holds[0]!;
  return {
    culprit,
    holds: holds.length,
    holdMs: lengths[lengths.length >> 1]!,
    savedSeconds: sum(affected.map(({ savedSeconds }) => savedSeconds)),
    routes: affected,
  };
}

function routeForecast({ route, requests, processes, perSecond }: Traffic, latencies: Without[]): RouteForecast {
  const asItIs = latencyOf(latencies.map(({ asItIsMs }) => asItIsMs));
  // What requests took that were not in its way is what requests take. The quick ones have the better chance to be among
  // them, so this is a lower bound like the other: that one takes a hold for lost whatever the request waited for meanwhile.
  const undisturbed = latencies.filter(({ isUndisturbed }) => isUndisturbed);
  const without = (of: (latency: Without) => number, limit: Latency | undefined): Latency | undefined => {
    const reduced = latencyOf(latencies.map(of));
    return reduced && limit && atMost(largerOf(reduced, latencyOf(undisturbed.map(of))), limit);
  };
  const awaited = without(({ awaitedMs }) => awaitedMs, asItIs);
  const heldMs = sum(latencies.map((latency) => latency.heldMs)) / requests.length;
  return {
    route,
    requests: requests.length,
    atTheDoor: requests.filter(({ doorMs }) => doorMs !== undefined).length,
    requestsPerSecond: perSecond,
    asItIs,
    awaited,
    notWaiting: without(({ notWaitingMs }) => notWaitingMs, awaited),
    ceilingPerSecond: heldMs > 0 ? 1e3 / heldMs : undefined,
    nowPerSecond: perSecond / processes,
    savedSeconds: sum(latencies.map(({ asItIsMs, notWaitingMs }) => asItIsMs - notWaitingMs)) / 1e3,
  };
}
