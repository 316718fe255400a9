/** Signals that end a process: an orchestrator's and a terminal's. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** An application with its own signal handler answers its last requests, and then exits without waiting for us. */
const DRAIN_MS = 30_000;
const DRAIN_FLUSH_EVERY_MS = 200;

/** What is to be done before the process ends. None of it rejects. */
export interface Ending {
  /** Writes what can be written at once. */
  settle(): void;
  /** Sends all there is; the process may run on. */
  flush(): Promise<void>;
  /** Sends the spans that have ended; cheap where there are none. */
  flushSpans(): Promise<void>;
  /** Sends all there is, for the last time. */
  shutdown(): Promise<void>;
  /** How long the process may be kept for that. */
  maxWaitMs: number;
}

/**
 * Sends what is left when the process ends: naturally, or by a signal. Handlers of the application's own, and the status
 * that the process ends with, stay as they are without it. `process.exit()` waits for nobody: what was not sent is lost.
 */
export function sendAtExit(ending: Ending): void {
  sendWhenLoopIsEmpty(ending);
  process.on('exit', () => ending.settle());
  for (const signal of SIGNALS) new SignalWatch(signal, ending).start();
}

function sendWhenLoopIsEmpty(ending: Ending): void {
  process.prependOnceListener('beforeExit', () => {
    const before = activeResources();
    // after the application's own listeners: they may end spans, or give the loop more to do
    setImmediate(() => {
      const isMoreToDo = [...activeResources()].some(([type, count]) => count > (before.get(type) ?? 0));
      if (isMoreToDo) return sendWhenLoopIsEmpty(ending);
      ending.settle();
      // Now nothing but sending keeps the process: without a time limit of ours, two exports in a row would.
      const timeout = setTimeout(() => process.exit(), ending.maxWaitMs).unref();
      void ending.shutdown().then(() => clearTimeout(timeout));
    });
  });
}

/** How many there are of each type. Some don't keep the loop alive, as the pipes that were written to. */
function activeResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

class SignalWatch {
  readonly #signal: NodeJS.Signals;
  readonly #ending: Ending;

  constructor(signal: NodeJS.Signals, ending: Ending) {
    this.#signal = signal;
    this.#ending = ending;
  }

  start(): void {
    // Before all others: those that were added by once() can still be counted then.
    process.prependListener(this.#signal, this.#onSignal);
  }

  #onSignal = (): void => {
    const others = process.listenerCount(this.#signal) - 1;
    // Ours must not count: signal-exit, for one, ends the process only where it is alone. And a second signal shall find
    // the process as it is without us.
    process.off(this.#signal, this.#onSignal);
    this.#ending.settle();
    // The kernel spares process 1 the signals that it has no handler for: it runs on as well.
    if (others > 0 || process.pid === 1) void this.#drain();
    else void this.#end();
  };

  async #drain(): Promise<void> {
    const until = performance.now() + DRAIN_MS;
    await this.#ending.flush();
    while (performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_FLUSH_EVERY_MS).unref());
      await this.#ending.flushSpans();
    }
    this.start();
  }

  async #end(): Promise<void> {
    const { promise: timeout, cancel } = timer(this.#ending.maxWaitMs);
    try {
      await Promise.race([this.#ending.shutdown(), timeout]);
    } finally {
      cancel();
      process.kill(process.pid, this.#signal);
    }
  }
}

function timer(ms: number): { promise: Promise<void>; cancel(): void } {
  let timeout: NodeJS.Timeout | undefined;
  const promise = new Promise<void>((resolve) => {
    timeout = setTimeout(resolve, ms);
  });
  return { promise, cancel: () => clearTimeout(timeout) };
}
