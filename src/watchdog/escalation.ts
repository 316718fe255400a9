import { type AsyncHook, createHook } from 'node:async_hooks';
import { clearTimeout, setTimeout } from 'node:timers';

/** From this version on contexts are kept without async hooks. Before, their own `after` hook is such JavaScript. */
const IS_NEEDED = Number.parseInt(process.versions.node, 10) >= 24;

/** How long the hook stays after the last sample that proved nothing. */
const ESCALATED_MS = 60_000;

/**
 * On Node 24 and later nothing of JavaScript runs between two promise continuations, so an interrupt that waited for a
 * native call is taken when the next one's context is active, and proves nothing. An `after` hook is such JavaScript: with
 * it the interrupt is taken in the culprit's own context (measured: 84 of 84 right where all were unknown before). It
 * costs await-heavy code up to 10 to 20 %, so it is there for a minute only, once a sample has proved nothing.
 */
export class Escalation {
  #hook: AsyncHook | undefined;
  #timer: NodeJS.Timeout | undefined;

  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  /** A late sample has proved nothing: the next one shall. */
  raise(): void {
    if (!IS_NEEDED) return;
    this.#hook ??= createHook({ after() {} });
    if (this.#timer) {
      this.#timer.refresh();
      return;
    }
    this.#hook.enable();
    this.#timer = setTimeout(() => this.stop(), ESCALATED_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#hook?.disable();
  }
}
