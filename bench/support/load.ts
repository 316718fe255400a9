import autocannon from 'autocannon';
import { quantile } from 'simple-statistics';

export interface LoadResult {
  readonly seconds: number;
  readonly requests: number;
  /** Of each request, in milliseconds: autocannon's own histogram knows whole ones alone. */
  readonly latencies: number[];
}

/** So many requests, each of the connections sending its next one as soon as it has its answer. */
export async function load(port: number, requests: number, connections: number): Promise<LoadResult> {
  const latencies: number[] = [];
  const refused: number[] = [];
  const start = performance.now();
  let end = start;
  // it notices its end once a sample
  const options = { url: `http://127.0.0.1:${port}/`, connections, amount: requests, sampleInt: 20 };
  const { errors } = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(options, (error, result) => (error ? reject(error) : resolve(result)));
    run.on('response', (_client, status, _bytes, ms) => {
      end = performance.now();
      latencies.push(ms);
      if (status !== 200) refused.push(status);
    });
  });
  if (errors > 0 || refused.length > 0) throw new Error(`the service failed: ${errors} errors, statuses ${refused}`);
  return { seconds: (end - start) / 1e3, requests: latencies.length, latencies };
}

export const p99 = (latencies: readonly number[]): number => quantile([...latencies], 0.99);
