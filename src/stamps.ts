/** A state kept on objects of somebody else's. */
export interface Stamps<T> {
  /** `undefined` for what can have none. */
  get(on: unknown): T | undefined;
  set(on: object, state: T): void;
}

/** As a base class, it makes the derived class define its fields on the given object. */
export class Given {
  constructor(on: object) {
    // biome-ignore lint/correctness/noConstructorReturn: that is how
    return on;
  }
}

/**
 * Like a WeakMap, by a private field on the objects themselves: nobody sees it, and to the garbage collector it is a field
 * like any other. An entry a span in a WeakMap costs some 3 µs, nearly all of it in the collector's threads.
 *
 * All that are made here share their compiled code, which V8 makes fast for one of them alone: where it counts, as for
 * every span, the same is written out once more (`spans/stamps.ts`).
 */
export function createStamps<T>(): Stamps<T> {
  class Stamped extends Given {
    #state: T;

    constructor(on: object, state: T) {
      super(on);
      this.#state = state;
    }

    static get(on: unknown): T | undefined {
      return typeof on === 'object' && on !== null && #state in on ? on.#state : undefined;
    }

    static set(on: object, state: T): void {
      if (#state in on) on.#state = state;
      else new Stamped(on, state);
    }
  }
  return Stamped;
}
