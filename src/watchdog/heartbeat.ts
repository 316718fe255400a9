import { performance } from 'node:perf_hooks';
import timers from 'node:timers';
import { now } from '../clock.ts';
import { warnOnce } from '../log.ts';
import { LoopFloat, LoopInt, type SharedBlock } from './layout.ts';
import { type LongTurn, TurnMeter } from './turns.ts';

export interface HeartbeatListener {
  /** A turn reached the threshold. Called on the loop, directly after it. */
  onLongTurn(turn: LongTurn): void;
  /** Any turn has ended: what was kept for it can go. Returns whether more turns are wanted soon. */
  onTurnEnd(): boolean;
}

// Taken once, before any test library can replace them by fake ones.
const { clearTimeout, setImmediate, setTimeout } = timers;

const noop = (): void => {};
const { nodeTiming } = performance;
/** How long the loop has slept since the process began, in milliseconds. */
export const idleTime = (): number => nodeTiming.idleTime;

/** How often a loop beats where the thread can't tell an idle loop from a blocked one. */
const INTERVAL_MS = 10;

/**
 * Stamps the end of each turn of the loop into shared memory, from an unref'd immediate that re-arms itself: exact laps,
 * no wake-up of an idle loop, and it keeps nothing alive.
 *
 * One gap is left: timers run at the *start* of a lap, before the loop sleeps, so the stamp after them would come only
 * when the loop next wakes, and their time would be added to that of whatever woke it. An unref'd timer closes it. It is
 * armed by a turn that did something and due a quarter of the threshold later: timers that took longer find it overdue, so
 * the loop does not sleep and the stamp comes at once. Nothing re-arms it once the loop is quiet.
 */
export class Heartbeat {
  readonly #shared: SharedBlock;
  readonly #listener: HeartbeatListener;
  readonly #onTick: (at: number) => void;
  readonly #wakeThread: () => void;
  readonly #tickMs: number;
  /** Where the thread can't tell an idle loop from a blocked one, the beat must go on while idle. */
  readonly #beatsWhileIdle: boolean;
  readonly #turns: TurnMeter;
  #running = false;
  #beats = 0;
  #beatsAtTick = 0;
  #timer: NodeJS.Timeout | undefined;
  #isArmed = false;
  #goingQuiet = false;
  #wanted = false;

  /** @param onTick is called now and then while the loop is busy (a few times per threshold), never while it is idle */
  constructor(
    shared: SharedBlock,
    listener: HeartbeatListener,
    options: { thresholdMs: number; beatsWhileIdle: boolean; onTick: (at: number) => void; wakeThread: () => void },
  ) {
    this.#shared = shared;
    this.#listener = listener;
    this.#onTick = options.onTick;
    this.#wakeThread = options.wakeThread;
    this.#beatsWhileIdle = options.beatsWhileIdle;
    this.#tickMs = options.beatsWhileIdle ? INTERVAL_MS : Math.max(2, options.thresholdMs / 4);
    this.#turns = new TurnMeter(options.thresholdMs);
  }

  /** Beats from the next turn on: what runs before the loop's first turn is start-up, not a blocked loop. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#shared.float[LoopFloat.BEAT] = 0;
    const first = (): void => {
      if (!this.#running) return;
      const at = now();
      this.#turns.begin(at, idleTime());
      this.#shared.float[LoopFloat.BEAT] = at;
      this.#arm();
      setImmediate(this.#beat).unref();
    };
    setImmediate(first).unref();
  }

  stop(): void {
    this.#running = this.#isArmed = false;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** The current turn, as long as it is by now. */
  currentTurn(at: number): LongTurn {
    return this.#turns.current(at, idleTime());
  }

  /** The time since the last turn's end, sleep included: at least as long as the current turn. Costs next to nothing. */
  sinceBeat(at: number): number {
    return at - this.#shared.float[LoopFloat.BEAT]!;
  }

  /** The longest turn since the last call (or the current one so far), in milliseconds. */
  takeWorstMs(): number {
    return this.#turns.takeWorst(now(), idleTime());
  }

  /** Work begins: on a loop that was idle for long the thread looks rarely, and shall do so at once. */
  noteActivity(): void {
    if (this.#shared.int[LoopInt.PARKED] === 1) this.#wakeThread();
  }

  #beat = (): void => {
    if (!this.#running) return;
    const at = now();
    const long = this.#turns.end(at, idleTime());
    this.#beats++;
    this.#shared.float[LoopFloat.PREVIOUS_BEAT] = this.#shared.float[LoopFloat.BEAT]!;
    this.#shared.float[LoopFloat.BEAT] = at;
    this.#shared.float[LoopFloat.SLEPT_UNTIL] = this.#turns.sleptUntil;
    this.noteActivity();
    try {
      if (long) this.#listener.onLongTurn(long);
      this.#wanted = this.#listener.onTurnEnd();
    } catch (error) {
      // the beat must go on, and nothing may reach the application
      warnOnce('turn', 'what a turn of the loop was spent on cannot be worked out', error);
    }
    if (this.#goingQuiet) this.#goingQuiet = false;
    else if (!this.#isArmed) this.#arm();
    setImmediate(this.#beat).unref();
  };

  #arm(): void {
    this.#beatsAtTick = this.#beats;
    this.#isArmed = true;
    // one for good: a busy loop arms it some hundred times a second
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(this.#tick, this.#tickMs).unref();
  }

  #tick = (): void => {
    this.#isArmed = false;
    if (!this.#running) return;
    // The timer's own wake-up makes one beat, since the check phase comes before the timers.
    if (this.#beats - this.#beatsAtTick > 1 || this.#beatsWhileIdle || this.#wanted) {
      this.#onTick(now());
      this.#arm();
      return;
    }
    // Other timers may run in this very phase: a ref'd immediate ends the turn before the loop sleeps.
    this.#goingQuiet = true;
    setImmediate(noop);
  };
}
