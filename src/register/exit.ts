/** Signals that end a process, and that an orchestrator or a terminal sends. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** What is to be done before the process ends. */
export interface Ending {
  /** Writes what can be written at once. */
  settle(): void;
  /** Sends what there is; the process may run on. */
  flush(): Promise<unknown>;
  /** Sends what there is, for the last time. */
  shutdown(): Promise<unknown>;
  /** The longest time that a signal waits for {@link shutdown}. */
  maxWaitMs: number;
}

/**
 * Sends what is left when the process ends: naturally, or by a signal. The application's own signal handlers and the
 * exit status stay as they are without it; `process.exit()` waits for nobody.
 */
export function flushAtExit(ending: Ending): void {
  process.once('beforeExit', () => {
    // after the application's own listeners, which may still end spans
    setImmediate(() => {
      ending.settle();
      void ending.shutdown().catch(() => {});
    });
  });
  process.on('exit', () => ending.settle());
  for (const signal of SIGNALS) new SignalFlush(signal, ending).watch();
}

class SignalFlush {
  readonly #signal: NodeJS.Signals;
  readonly #ending: Ending;

  constructor(signal: NodeJS.Signals, ending: Ending) {
    this.#signal = signal;
    this.#ending = ending;
  }

  watch(): void {
    // First of all listeners: one that was added by once() is still counted then.
    process.prependListener(this.#signal, this.#onSignal);
  }

  #onSignal = (): void => {
    const others = process.listenerCount(this.#signal) - 1;
    // Others decide by the number of listeners whether the process is to end (signal-exit does): ours must not count.
    // And from now on a second signal finds the process as it is without us.
    process.off(this.#signal, this.#onSignal);
    this.#ending.settle();
    // The kernel spares process 1 the signals that it has no listener for.
    if (others > 0 || process.pid === 1) {
      void this.#ending
        .flush()
        .catch(() => {})
        .finally(() => this.watch());
    } else {
      void this.#shutDown().finally(() => process.kill(process.pid, this.#signal));
    }
  };

  async #shutDown(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#ending.maxWaitMs);
      this.#ending
        .shutdown()
        .catch(() => {})
        .finally(() => {
          clearTimeout(timer);
          resolve();
        });
    });
  }
}
