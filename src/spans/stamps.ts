import { Given, type Stamps } from '../stamps.ts';
import type { SpanState } from './tracker.ts';

/** The states of spans. */
export interface SpanStamps extends Stamps<SpanState> {
  /** Sets it where there is none yet, and returns whether it did. */
  add(on: object, state: SpanState): boolean;
}

/** As `createStamps`, compiled for spans alone: it is asked several times a span. */
export function createSpanStamps(): SpanStamps {
  class StampedSpan extends Given {
    #state: SpanState;

    constructor(on: object, state: SpanState) {
      super(on);
      this.#state = state;
    }

    static get(on: object | null | undefined): SpanState | undefined {
      return on && #state in on ? (on as StampedSpan).#state : undefined;
    }

    static add(on: object, state: SpanState): boolean {
      try {
        new StampedSpan(on, state);
        return true;
      } catch {
        // it has that field
        return false;
      }
    }

    static set(on: object, state: SpanState): void {
      if (#state in on) (on as StampedSpan).#state = state;
      else new StampedSpan(on, state);
    }
  }
  return StampedSpan;
}
