import { PerformanceObserver } from 'node:perf_hooks';
import { now, toPerformanceTime } from '../clock.ts';
import { warnOnce } from '../log.ts';

/** Pauses kept: they are asked for a few turns after a stall at the latest. */
const MAX_PAUSES = 2048;

/** Remembers garbage collections, whose entries arrive some turns after the pause. */
export class GcPauses {
  #observer: PerformanceObserver | undefined;
  #pauses: { from: number; to: number }[] = [];

  start(): void {
    try {
      const offset = now() - toPerformanceTime(now());
      this.#observer = new PerformanceObserver((list) => {
        // A blocked loop delivers many in one callback.
        for (const { startTime, duration } of list.getEntries()) {
          this.#pauses.push({ from: startTime + offset, to: startTime + duration + offset });
        }
        if (this.#pauses.length > MAX_PAUSES) this.#pauses = this.#pauses.slice(-MAX_PAUSES / 2);
      });
      this.#observer.observe({ type: 'gc', buffered: false });
    } catch (error) {
      warnOnce('gc', 'garbage collections cannot be seen', error);
    }
  }

  stop(): void {
    this.#observer?.disconnect();
    this.#observer = undefined;
    this.#pauses = [];
  }

  /** Milliseconds of garbage collection within the interval. */
  within(from: number, to: number): number {
    let sum = 0;
    for (const pause of this.#pauses) sum += Math.max(0, Math.min(pause.to, to) - Math.max(pause.from, from));
    return sum;
  }
}
