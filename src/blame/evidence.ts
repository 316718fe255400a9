import { now } from '../clock.ts';
import type { GcPauses } from '../watchdog/gc.ts';
import type { LongTurn } from '../watchdog/turns.ts';
import type { StallEvidence } from '../watchdog/verdict.ts';
import type { Watchdog } from '../watchdog/watchdog.ts';

/** Starvation comes in spells, and the watchdog's thread does not see each moment of it: so much of the past counts. */
const SPELL_MS = 1000;

/** Puts together what is known of a turn's time: the loop thread's accounts, the watchdog thread's delays, collections. */
export class Evidence {
  readonly #watchdog: Watchdog;
  readonly #gc: GcPauses;
  /** For how long the thread had been stopped when the current turn began. */
  #stoppedBefore = 0;
  /** The thread's starvation as it was one to two spells before the last stalls. */
  #starved = { older: 0, newer: 0, at: 0 };

  constructor(watchdog: Watchdog, gc: GcPauses) {
    this.#watchdog = watchdog;
    this.#gc = gc;
  }

  /** A turn begins. */
  beginTurn(): void {
    this.#stoppedBefore = this.#watchdog.threadStoppedMs;
  }

  /** What the current turn's time was spent on so far. `samplingMs`: what our own samples took of it. */
  ofTurn(turn: LongTurn, samplingMs: number): StallEvidence {
    const accounts = this.#watchdog.evidence(turn, this.#watchdog.read());
    const own = accounts.run === undefined ? accounts : { ...accounts, run: Math.max(0, accounts.run - samplingMs) };
    return { ...own, ...this.#held(this.#stoppedBefore, own.wall) };
  }

  /** Keeps what a turn that is over can be completed from. */
  keep(turn: LongTurn, samplingMs: number): PendingEvidence {
    return { turn, evidence: this.ofTurn(turn, samplingMs), stoppedBefore: this.#stoppedBefore };
  }

  /** The same with what has come in since: collections, and the thread's own delays. */
  complete({ turn, evidence, stoppedBefore }: PendingEvidence): StallEvidence {
    return {
      ...evidence,
      ...this.#held(stoppedBefore, evidence.wall),
      // what was seen of the whole turn, in the part of it that the accounts are of
      gc: (this.#gc.within(turn.from, turn.to) * evidence.wall) / (turn.to - turn.from),
    };
  }

  #held(stoppedBefore: number, wall: number): { stopped: number; threadsStarved: number } {
    const { threadStoppedMs: stopped, threadStarvedMs: starved } = this.#watchdog;
    const at = now();
    if (at - this.#starved.at > SPELL_MS) {
      this.#starved = { older: this.#starved.newer, newer: starved, at };
    }
    return {
      stopped: Math.min(wall, stopped - stoppedBefore),
      threadsStarved: Math.min(wall, starved - this.#starved.older),
    };
  }
}

/** What is known of a turn that is over, before collections are reported and the thread has looked. */
export interface PendingEvidence {
  readonly turn: LongTurn;
  readonly evidence: StallEvidence;
  readonly stoppedBefore: number;
}
