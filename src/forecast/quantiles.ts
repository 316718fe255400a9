/**
 * The fewest requests that a forecast rests on. The median of 30 lies between the 10th and the 21st of them with 95 %
 * certainty, whatever their distribution: that is about what a decision can be based on, and of fewer nothing is said.
 *
 * @since 0.1.0
 */
export const MIN_REQUESTS = 30;
/**
 * The fewest requests of which a 99th percentile is told: of fewer, it is the slowest of them by another name.
 *
 * @since 0.1.0
 */
export const MIN_REQUESTS_FOR_P99 = 100;

/**
 * Latencies of a route's requests, in milliseconds.
 *
 * @since 0.1.0
 */
export interface Latency {
  /** The median. */
  readonly p50Ms: number;
  /** `undefined` where it rests on fewer than 100 requests. */
  readonly p99Ms: number | undefined;
}

/** Of {@link MIN_REQUESTS} values or more; `undefined` of fewer. */
export function latencyOf(values: readonly number[]): Latency | undefined {
  if (values.length < MIN_REQUESTS) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return {
    p50Ms: quantile(sorted, 0.5),
    p99Ms: sorted.length < MIN_REQUESTS_FOR_P99 ? undefined : quantile(sorted, 0.99),
  };
}

/** By the nearest rank: a value that was there. */
function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
}

/** The larger of two lower bounds is the better one; the second may not be there. */
export function largerOf(a: Latency, b: Latency | undefined): Latency {
  return {
    p50Ms: Math.max(a.p50Ms, b?.p50Ms ?? 0),
    p99Ms: a.p99Ms === undefined ? undefined : Math.max(a.p99Ms, b?.p99Ms ?? 0),
  };
}

/** No more than the other. */
export function atMost(a: Latency, limit: Latency): Latency {
  return {
    p50Ms: Math.min(a.p50Ms, limit.p50Ms),
    p99Ms: a.p99Ms === undefined ? undefined : Math.min(a.p99Ms, limit.p99Ms ?? a.p99Ms),
  };
}
