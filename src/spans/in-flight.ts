import type { SpanState } from './tracker.ts';

/**
 * The most spans that are remembered as in flight. A span that never ends would be remembered for ever: beyond this the
 * oldest are forgotten, and counted.
 */
const MAX_IN_FLIGHT = 16_384;

/** The spans that have started and not ended, in the order of their starts: a list through the spans' own states. */
export class SpansInFlight {
  #first: SpanState | undefined;
  #last: SpanState | undefined;
  #size = 0;
  #roots = 0;
  #forgotten = 0;

  /** How many requests (spans without a parent in this process) are under way. */
  get roots(): number {
    return this.#roots;
  }

  get size(): number {
    return this.#size;
  }

  /** How many were forgotten, because too many were in flight. */
  get forgotten(): number {
    return this.#forgotten;
  }

  add(state: SpanState): void {
    state.inFlight = true;
    state.previous = this.#last;
    if (this.#last) this.#last.next = state;
    else this.#first = state;
    this.#last = state;
    this.#size++;
    if (state.root === state) this.#roots++;
    if (this.#size > MAX_IN_FLIGHT && this.#first) {
      this.delete(this.#first);
      this.#forgotten++;
    }
  }

  delete(state: SpanState): void {
    if (!state.inFlight) return;
    const { previous, next } = state;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    state.previous = state.next = undefined;
    state.inFlight = false;
    this.#size--;
    if (state.root === state) this.#roots--;
  }

  clear(): void {
    while (this.#first) this.delete(this.#first);
  }

  /** From the oldest on. The visitor may end a span. */
  forEach(visit: (state: SpanState) => void): void {
    for (let state = this.#first; state; ) {
      const { next } = state;
      visit(state);
      state = next;
    }
  }
}
