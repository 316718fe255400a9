import autocannon from 'autocannon';
import { anOrder, settings } from './settings.mjs';

/**
 * Keeps every connection busy with one route for a while.
 * @returns what the clients saw
 */
export async function load({ port, route, seconds }) {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections: settings.connections,
    duration: seconds,
    // A client that gives up hides how long it would have waited.
    timeout: 120,
    requests: [{ setupRequest: (base) => ({ ...base, ...anOrder(route) }) }],
  });
  return {
    requestsPerSecond: result['2xx'] / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    failedRequests: result.non2xx + result.errors,
    /** From then on nobody waited for an answer any more. */
    endMs: Number(result.finish),
  };
}
