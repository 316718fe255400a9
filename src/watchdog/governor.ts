import { warnOnce } from '../log.ts';

/** The cost is compared with the budget over so long. */
const WINDOW_MS = 10_000;
/** What is spent so early is not compared. */
const STARTUP_MS = 10_000;
/** Stalls of a kind that is known already: so many a minute are sampled densely, the rest thinly. */
const KNOWN_PER_MINUTE = 20;
const MINUTE_MS = 60_000;
/** Kinds remembered. */
const MAX_KNOWN = 1000;

/** How many times as far apart as usual samples are, step by step; 0: none at all. */
const STEPS = [1, 4, 16, 0] as const;
const THIN = 1;

/**
 * Keeps what we cost on the loop within a budget. Samples are the only part whose number is ours to choose: over the
 * budget they thin out step by step, down to none, and come back when there is room. Durations, sections and metrics stay.
 */
export class Governor {
  readonly #budget: number;
  readonly #apply: (spacing: number) => void;
  readonly #known = new Set<string>();
  #knownStalls = 0;
  #minuteFrom = 0;
  #step = 0;
  #windowFrom = 0;
  #spentMs = 0;
  #totalMs = 0;

  /**
   * @param budget the share of one CPU that the loop's thread may spend on us, 0 to 1
   * @param apply is told how many times as far apart as usual samples shall be; 0: none
   */
  constructor(budget: number, apply: (spacing: number) => void) {
    this.#budget = budget;
    this.#apply = apply;
  }

  /** What we have cost on the loop since the start, in milliseconds. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** Whether we cost more than we may. */
  get isThinning(): boolean {
    return this.#step > 0;
  }

  /** The application starts: for a while nearly all that it does is new, and says nothing about what comes after. */
  begin(at: number): void {
    this.#windowFrom = at + STARTUP_MS;
  }

  /** Something of ours took so long on the loop. */
  spent(ms: number, at: number): void {
    this.#totalMs += ms;
    if (at < this.#windowFrom) return;
    this.#spentMs += ms;
    const window = at - this.#windowFrom;
    // at half the window too, where it is over the budget of all of it already
    if (window < WINDOW_MS && this.#spentMs <= this.#budget * WINDOW_MS) return;
    this.#close(Math.max(window, WINDOW_MS), at);
  }

  /** A stall was told: `kind` names its cause, section and function. */
  stalled(kind: string, at: number): void {
    if (at - this.#minuteFrom >= MINUTE_MS) {
      this.#minuteFrom = at;
      this.#knownStalls = 0;
    }
    if (this.#known.has(kind)) this.#knownStalls++;
    else if (this.#known.size < MAX_KNOWN) this.#known.add(kind);
    this.#tell();
  }

  #close(window: number, at: number): void {
    const share = this.#spentMs / window;
    this.#spentMs = 0;
    this.#windowFrom = at;
    if (share > this.#budget && this.#step < STEPS.length - 1) {
      this.#step++;
      const percent = (100 * share).toFixed(1);
      const spacing = STEPS[this.#step]!;
      warnOnce(
        `budget ${this.#step}`,
        `samples of the blocked loop cost ${percent} % of a CPU: ${spacing === 0 ? 'none are taken' : `one in ${spacing} is taken`} until it is less`,
      );
    } else if (share < this.#budget / 4 && this.#step > 0) this.#step--;
    this.#tell();
  }

  #tell(): void {
    const isThin = this.#knownStalls > KNOWN_PER_MINUTE;
    this.#apply(STEPS[isThin ? Math.max(this.#step, THIN) : this.#step]!);
  }
}
