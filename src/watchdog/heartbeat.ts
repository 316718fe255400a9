import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { now } from '../clock.ts';
import { Float, Int, type SharedState } from './layout.ts';

/** One turn of the loop that held it for longer than the threshold. Milliseconds on the monotonic clock. */
export interface LongTurn {
  /** When its work began and ended. The time that the loop slept in the turn counts as before `from`. */
  readonly from: number;
  readonly to: number;
  /** The beat before it: the thread's readings carry it. */
  readonly beat: number;
}

export interface HeartbeatListener {
  /** A turn reached the threshold. Called on the loop, directly after it. */
  onLongTurn(turn: LongTurn): void;
  /** Any turn has ended: what was kept for it can go. */
  onTurnEnd(): void;
  /** Now and then while the loop is busy (a few times per threshold), never while it is idle. */
  onTick(at: number): void;
}

const noop = (): void => {};
/** How long the loop has slept since the process began, in milliseconds. */
export const idleTime = (): number => performance.nodeTiming.idleTime;

/**
 * Stamps the end of each turn of the loop into shared memory, from an unref'd immediate that re-arms itself: exact laps,
 * no wake-up of an idle loop, and it keeps nothing alive. A turn's length is the stamps' difference less the time the
 * loop slept (`nodeTiming.idleTime`, 0.2 µs a read).
 *
 * One gap is left: timers run at the *start* of a lap, before the loop sleeps, so the stamp after them would come only
 * when the loop next wakes, and their time would be added to that of whatever woke it. An unref'd timer closes it. It is
 * armed by a turn that did something and due a quarter of the threshold later: timers that took longer find it overdue, so
 * the loop does not sleep and the stamp comes at once. Nothing re-arms it once the loop is quiet.
 */
export class Heartbeat {
  readonly #shared: SharedState;
  readonly #listener: HeartbeatListener;
  readonly #thresholdMs: number;
  readonly #tickMs: number;
  /** Where the thread can't tell an idle loop from a blocked one, the beat must go on while idle. */
  readonly #beatsWhileIdle: boolean;
  #running = false;
  #last = 0;
  #lastIdle = 0;
  #beats = 0;
  #beatsAtTick = 0;
  #timer: NodeJS.Timeout | undefined;
  #goingQuiet = false;
  #worst = 0;

  constructor(
    shared: SharedState,
    listener: HeartbeatListener,
    options: { thresholdMs: number; beatsWhileIdle: boolean },
  ) {
    this.#shared = shared;
    this.#listener = listener;
    this.#thresholdMs = options.thresholdMs;
    this.#beatsWhileIdle = options.beatsWhileIdle;
    this.#tickMs = options.beatsWhileIdle ? 10 : Math.max(2, options.thresholdMs / 4);
  }

  /** Beats from the next turn on: what runs before the loop's first turn is start-up, not a blocked loop. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    const first = (): void => {
      if (!this.#running) return;
      this.#last = now();
      this.#lastIdle = idleTime();
      this.#shared.float[Float.BEAT] = this.#last;
      this.#arm();
      setImmediate(this.#beat).unref();
    };
    this.#shared.float[Float.BEAT] = 0;
    setImmediate(first).unref();
  }

  stop(): void {
    this.#running = false;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** For how long the current turn has held the loop. */
  currentTurnMs(at: number = now()): number {
    if (this.#last === 0) return 0;
    return Math.max(0, at - this.#last - (idleTime() - this.#lastIdle));
  }

  /** When the current turn's work began, and the beat before it. */
  currentTurn(at: number): LongTurn {
    return { from: at - this.currentTurnMs(at), to: at, beat: this.#last };
  }

  /** The longest turn since the last call (or the current one so far), in milliseconds. */
  takeWorstMs(): number {
    const worst = Math.max(this.#worst, this.currentTurnMs());
    this.#worst = 0;
    return worst;
  }

  #beat = (): void => {
    if (!this.#running) return;
    const at = now();
    const idle = idleTime();
    const busy = at - this.#last - (idle - this.#lastIdle);
    const beat = this.#last;
    this.#last = at;
    this.#lastIdle = idle;
    this.#beats++;
    this.#shared.float[Float.BEAT] = at;
    if (busy > this.#worst) this.#worst = busy;
    if (this.#shared.int[Int.PARKED] === 1) this.wakeThread();
    if (busy >= this.#thresholdMs) this.#listener.onLongTurn({ from: at - busy, to: at, beat });
    this.#listener.onTurnEnd();
    if (this.#goingQuiet) this.#goingQuiet = false;
    else if (!this.#timer) this.#arm();
    setImmediate(this.#beat).unref();
  };

  /** Work begins on a loop that was idle for long: the thread shall look as often as the threshold asks for. */
  wakeThread(): void {
    Atomics.store(this.#shared.int, Int.WAKE, 1);
    Atomics.notify(this.#shared.int, Int.WAKE);
  }

  #arm(): void {
    this.#beatsAtTick = this.#beats;
    this.#timer = setTimeout(this.#tick, this.#tickMs);
    this.#timer.unref();
  }

  #tick = (): void => {
    this.#timer = undefined;
    if (!this.#running) return;
    // The timer's own wake-up makes one beat, since the check phase comes before the timers.
    if (this.#beats - this.#beatsAtTick > 1 || this.#beatsWhileIdle) {
      this.#listener.onTick(now());
      this.#arm();
      return;
    }
    // Other timers may run in this very phase: a ref'd immediate ends the turn before the loop sleeps.
    this.#goingQuiet = true;
    setImmediate(noop);
  };
}
