/** One turn of the loop that held it for at least the threshold. Milliseconds on the monotonic clock. */
export interface LongTurn {
  /** When its work began and ended. The time that the loop slept in the turn counts as before `from`. */
  readonly from: number;
  readonly to: number;
  /** The end of the turn before it: the thread's readings carry it. */
  readonly beat: number;
}

/** A loop with more to do asks for it without sleeping, which takes microseconds too. */
const REAL_SLEEP_MS = 1;

/**
 * Measures turns: the time between the ends of two, less what the loop slept in between. Exact whoever is late to look.
 */
export class TurnMeter {
  /** Until when the loop has slept last: what had come by then, it has begun to read. 0 where it never slept. */
  sleptUntil = 0;
  readonly #thresholdMs: number;
  #last = 0;
  #lastIdle = 0;
  #worst = 0;

  constructor(thresholdMs: number) {
    this.#thresholdMs = thresholdMs;
  }

  /** What was before the first turn is start-up, and no turn. */
  begin(at: number, idle: number): void {
    this.#last = at;
    this.#lastIdle = idle;
  }

  /** A turn has ended; gives it where it was a long one. `idle`: for how long the loop has slept in all. */
  end(at: number, idle: number): LongTurn | undefined {
    const turn = this.current(at, idle);
    const busy = turn.to - turn.from;
    if (idle - this.#lastIdle >= REAL_SLEEP_MS) this.sleptUntil = turn.from;
    this.begin(at, idle);
    if (busy > this.#worst) this.#worst = busy;
    return busy >= this.#thresholdMs ? turn : undefined;
  }

  /** The turn in progress, as long as it is by now. */
  current(at: number, idle: number): LongTurn {
    const busy = this.#last === 0 ? 0 : Math.max(0, at - this.#last - (idle - this.#lastIdle));
    return { from: at - busy, to: at, beat: this.#last };
  }

  /** The longest turn since the last call (or the current one so far), in milliseconds. */
  takeWorst(at: number, idle: number): number {
    const { from, to } = this.current(at, idle);
    const worst = Math.max(this.#worst, to - from);
    this.#worst = 0;
    return worst;
  }
}
