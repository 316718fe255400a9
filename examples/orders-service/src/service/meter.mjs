import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout } from 'node:timers/promises';

/**
 * Measures, inside the worker, what a load generator cannot see: how much it had in hand at once, and what that cost.
 *
 * A request is being *served* while its write is on its way to Kafka and back. Counting from the first byte read would
 * count the queue: a blocked worker has read all of its connections' requests, and works on one.
 */
export function createMeter() {
  /** When the request began that the code at hand works for. */
  const begun = new AsyncLocalStorage();
  let requests = 0;
  let writes = 0;
  let writesSoFar = 0;
  let mostWrites = 0;
  let failed = 0;
  let answeredMs = [];
  let cpuBefore;
  let timeBefore;

  return {
    /** A route's handler, counted while it runs. */
    request(handler) {
      return async (request) => {
        requests++;
        try {
          return await begun.run(performance.now(), () => handler(request));
        } finally {
          requests--;
        }
      };
    },
    /** Returns what to call when Kafka has answered. */
    writeBegins() {
      writes++;
      writesSoFar++;
      mostWrites = Math.max(mostWrites, writes);
      const began = begun.getStore();
      return (error) => {
        writes--;
        if (began !== undefined) answeredMs.push(performance.now() - began);
        if (error) failed++;
      };
    },
    begin() {
      mostWrites = writes;
      writesSoFar = 0;
      failed = 0;
      answeredMs = [];
      cpuBefore = process.cpuUsage();
      timeBefore = performance.now();
      return {};
    },
    /** Resolves when nothing is on its way any more. */
    async idle() {
      while (requests > 0 || writes > 0) await setTimeout(10);
    },
    async settle() {
      // A blocked loop gets to this after what it had read; that time is as much part of the measurement as any.
      const { user, system } = process.cpuUsage(cpuBefore);
      const cpuPercent = (user + system) / 10 / (performance.now() - timeBefore);
      await this.idle();
      // answeredMs: from when a request began until Kafka had answered its write, whether or not its client waited for that
      return { cpuPercent, servedAtATime: mostWrites, writes: writesSoFar, failedWrites: failed, answeredMs };
    },
  };
}
