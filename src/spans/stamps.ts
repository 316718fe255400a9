import { Given, type Stamps } from '../stamps.ts';
import type { SpanState } from './tracker.ts';

/** As `createStamps`, compiled for spans alone: it is asked several times a span. */
export function createSpanStamps(): Stamps<SpanState> {
  class StampedSpan extends Given {
    #state: SpanState;

    constructor(on: object, state: SpanState) {
      super(on);
      this.#state = state;
    }

    static get(on: object | null | undefined): SpanState | undefined {
      return on && #state in on ? (on as StampedSpan).#state : undefined;
    }

    static set(on: object, state: SpanState): void {
      if (#state in on) (on as StampedSpan).#state = state;
      else new StampedSpan(on, state);
    }
  }
  return StampedSpan;
}
