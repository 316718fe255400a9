import { now } from '../clock.ts';

/**
 * When work began that one later section tells of: many small calls, each too short to be a section, and then the one
 * that ends them, all in one callback. What was not taken by the end of the callback is forgotten.
 */
export class WorkStart {
  #at: number | undefined;

  readonly #forget = (): void => {
    this.#at = undefined;
  };

  note(): void {
    if (this.#at !== undefined) return;
    this.#at = now();
    queueMicrotask(this.#forget);
  }

  take(): number | undefined {
    const at = this.#at;
    this.#at = undefined;
    return at;
  }
}
