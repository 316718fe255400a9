import { renameSync, writeFileSync } from 'node:fs';

const EVERY_MS = 1000;

/**
 * A file with the loop's age in milliseconds, for probes that only run a command: how long the loop has been stuck, about
 * 0 while it is healthy. It is replaced as a whole, so a probe never reads half of it. Its own age tells whether the
 * thread lives.
 */
export class HeartbeatFile {
  readonly #path: string;
  readonly #onFailure: (error: unknown) => void;
  #hasFailed = false;
  #dueAt = 0;

  /** @param onFailure is called once; it is tried again each time */
  constructor(path: string, onFailure: (error: unknown) => void) {
    this.#path = path;
    this.#onFailure = onFailure;
  }

  /** Called at each look, whose times it does not change. Returns whether it was written now. */
  beat(at: number, ageMs: number): boolean {
    if (at < this.#dueAt) return false;
    this.#dueAt = at + EVERY_MS;
    try {
      const draft = `${this.#path}.${process.pid}`;
      writeFileSync(draft, `${Math.round(ageMs)}\n`);
      renameSync(draft, this.#path);
    } catch (error) {
      if (!this.#hasFailed) this.#onFailure(error);
      this.#hasFailed = true;
    }
    return true;
  }
}
