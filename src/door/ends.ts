import { type DoorMemory, END_PAIRS } from './layout.ts';

/** When what a connection had sent was last read; see {@link ConnectionEnds.of}. */
export interface ConnectionEnd {
  readonly at: number;
  /** Whether it is this connection's; else it is the earliest that this connection's can have been lost at. */
  readonly isOwn: boolean;
}

/**
 * When each connection's last request was read, as the loop tells it: bytes that were seen before that are not those of
 * the next request, nor of a later connection from the same port of the same peer. Each key has two slots, and of two
 * others that need them the older is lost: then `of` says so, and nobody is said to have waited since before that.
 */
export class ConnectionEnds {
  readonly #keys: Uint32Array;
  readonly #times: Float64Array;

  constructor({ endKeys, endTimes }: Pick<DoorMemory, 'endKeys' | 'endTimes'>) {
    this.#keys = endKeys;
    this.#times = endTimes;
  }

  /** Loop. */
  set(key: number, at: number): void {
    const keys = this.#keys;
    const first = firstSlot(key);
    let slot = first;
    if (keys[first] !== key && (keys[first + 1] === key || this.#times[first + 1]! < this.#times[first]!)) slot++;
    // The thread may read in between: it must not find the key beside another connection's time.
    Atomics.store(keys, slot, 0);
    this.#times[slot] = at;
    Atomics.store(keys, slot, key);
  }

  of(key: number): ConnectionEnd {
    const first = firstSlot(key);
    for (let slot = first; slot <= first + 1; slot++) {
      if (Atomics.load(this.#keys, slot) === key) return { at: this.#times[slot]!, isOwn: true };
    }
    return { at: Math.min(this.#times[first]!, this.#times[first + 1]!), isOwn: false };
  }
}

const firstSlot = (key: number): number => (key & (END_PAIRS - 1)) * 2;
