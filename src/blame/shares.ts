import type { Section, SectionDetails } from '../sections/recorder.ts';
import { type Frame, type Judgement, userFrame } from '../watchdog/judge.ts';
import type { StallEvidence } from '../watchdog/verdict.ts';

/** One sample of the blocked loop. `Owner` is whatever identifies a span; times in ms on the monotonic clock. */
export interface Sample<Owner> {
  readonly postedAt: number;
  readonly at: number;
  readonly judgement: Judgement;
  /** The span that was active, if any; the judgement says whether it may be blamed. */
  readonly owner: Owner | undefined;
  readonly frames: readonly Frame[];
  /** Which callback ran: 0 where Node does not tell. */
  readonly callback: number;
}

/** One section of the turn, as far as shares need it. */
export interface SectionPiece<Owner> {
  readonly section: Section;
  readonly owner: Owner | undefined;
  readonly start: number;
  readonly end: number;
  readonly own: number;
  readonly isOutermost: boolean;
  readonly runs: number;
  readonly details?: SectionDetails;
}

/** What one span (or, without one, one function) held of a stall. */
export interface Share<Owner> {
  readonly owner: Owner | undefined;
  ms: number;
  /** When its first and last pieces began and ended. */
  from: number;
  to: number;
  /** The section that made the most of it, if one did. */
  section: Section | undefined;
  sectionMs: number;
  /** What is known of that section alone; `undefined` where the stall's evidence is all there is. */
  evidence: StallEvidence | undefined;
  /** The innermost frame of the user's code that was seen most, and the stack it was seen in. */
  code: Frame | undefined;
  codeMs: number;
  stack: readonly Frame[];
  pieces: number;
}

export interface StallShares<Owner> {
  readonly shares: Share<Owner>[];
  /** What nothing is known of. */
  unknownMs: number;
  /** `hold`: one callback did not return. `burst`: many callbacks, one after the other. */
  kind: 'hold' | 'burst';
}

/** A sample later than this waited for native code to end: what is known of its wait is the judgement's alone. */
export const LATE_SAMPLE_MS = 10;
/** What follows the last sample belongs to it, up to so many times the distance that samples had. */
const TAIL_FACTOR = 2;
const TAIL_MIN_MS = 10;

interface Interval {
  readonly from: number;
  readonly to: number;
}

/** The parts of the interval that no section covers, of sections in the order of their starts. */
function gaps(from: number, to: number, sections: readonly { start: number; end: number }[]): Interval[] {
  const found: Interval[] = [];
  let at = from;
  for (const piece of sections) {
    if (piece.start > at) found.push({ from: at, to: Math.min(piece.start, to) });
    at = Math.max(at, piece.end);
  }
  if (at < to) found.push({ from: at, to });
  return found.filter((gap) => gap.to > gap.from);
}

/** When a span was started within a piece, what lies before its start is not its own. */
export type StartOf<Owner> = (owner: Owner) => number;

class Ledger<Owner> {
  readonly shares = new Map<unknown, Share<Owner>>();

  /** Shares are told apart by span; without one, by function. */
  add(owner: Owner | undefined, code: Frame | undefined, ms: number, from: number, to: number): Share<Owner> {
    const key = owner ?? `${code?.functionName} ${code?.file}`;
    let share = this.shares.get(key);
    if (!share) {
      share = {
        owner,
        ms: 0,
        from,
        to,
        section: undefined,
        sectionMs: 0,
        evidence: undefined,
        code: undefined,
        codeMs: 0,
        stack: [],
        pieces: 0,
      };
      this.shares.set(key, share);
    }
    share.ms += ms;
    share.from = Math.min(share.from, from);
    share.to = Math.max(share.to, to);
    return share;
  }
}

/**
 * Shares a stall out among those who ran it. Sections are exact; what lies between them goes to the samples taken there:
 * each vouches for the time since the one before it. Nothing is given to a span that no section and no sample vouches for.
 */
export function shareStall<Owner>(
  stall: Interval,
  sections: readonly SectionPiece<Owner>[],
  samples: readonly Sample<Owner>[],
  startOf: StartOf<Owner>,
): StallShares<Owner> {
  const ledger = new Ledger<Owner>();
  const callbacks = new Set<number>();
  let fresh = 0;
  let unknownMs = 0;
  /** Short waits at a resume point, where the stack is empty: shared in proportion to what is known. */
  let pooledMs = 0;

  const ordered = [...sections].sort((a, b) => a.start - b.start);
  for (const piece of ordered) {
    // Of a section that began before the stall, its part in it
    const cut = piece.start < stall.from ? stall.from - piece.start : 0;
    const whole = Math.max(0, piece.own - cut);
    for (const { owner, ms } of ownersOf(piece, whole, ordered, samples, startOf)) {
      const share = ledger.add(owner, undefined, ms, Math.max(piece.start, stall.from), piece.end);
      share.pieces += piece.runs;
      if (ms > share.sectionMs) {
        share.section = piece.section;
        share.sectionMs = ms;
        share.evidence = piece.details?.evidence;
      }
      // Who has called a callback is its client; who calls a client is whoever the section is told of.
      if (piece.details && piece.section.phase !== 'callback') {
        seeCode(share, userFrame(piece.details.stack), piece.details.stack, ms);
        continue;
      }
      // What a sample saw inside the section names its caller, or the callback itself.
      for (const sample of samples) {
        if (sample.at < piece.start || sample.at > piece.end || !sample.judgement.code) continue;
        if (sample.owner !== owner && piece.section.phase === 'callback') continue;
        seeCode(share, sample.judgement.code, sample.frames, Math.min(ms, sample.at - sample.postedAt));
      }
    }
  }

  const outermost = ordered.filter((piece) => piece.isOutermost);
  for (const gap of gaps(stall.from, stall.to, outermost)) {
    const inside = samples.filter((sample) => sample.at > gap.from && sample.at <= gap.to);
    let at = gap.from + unknownHead(gap, inside);
    unknownMs += at - gap.from;
    let distance = 0;
    for (let i = 0; i < inside.length; i++) {
      const sample = inside[i]!;
      const isLate = sample.at - sample.postedAt > LATE_SAMPLE_MS;
      const next = inside[i + 1];
      // Between two spans the border lies anywhere between their samples: in the middle, then.
      const to =
        next && next.owner !== sample.owner && next.judgement.span && next.at - next.postedAt <= LATE_SAMPLE_MS
          ? border(sample, next, startOf)
          : sample.at;
      const ms = to - at;
      if (sample.judgement.span) {
        const begun = sample.owner === undefined ? at : Math.max(at, Math.min(to, startOf(sample.owner)));
        unknownMs += begun - at;
        const share = ledger.add(sample.owner, sample.judgement.code, to - begun, begun, to);
        share.pieces++;
        seeCode(share, sample.judgement.code, sample.frames, to - begun);
        callbacks.add(sample.callback);
      } else if (isLate) unknownMs += ms;
      else {
        pooledMs += ms;
        fresh++;
      }
      distance = Math.max(distance, sample.at - at);
      at = to;
    }
    const last = inside.at(-1);
    const tail = gap.to - at;
    if (last?.judgement.span && tail <= Math.max(TAIL_MIN_MS, TAIL_FACTOR * distance)) {
      ledger.add(last.owner, last.judgement.code, tail, at, gap.to);
    } else unknownMs += tail;
  }

  const shares = [...ledger.shares.values()];
  const knownMs = shares.reduce((sum, share) => sum + share.ms, 0);
  if (knownMs > 0) for (const share of shares) share.ms += (pooledMs * share.ms) / knownMs;
  else unknownMs += pooledMs;
  shares.sort((a, b) => b.ms - a.ms);
  const longest = ordered.reduce((most, piece) => (piece.runs === 1 ? Math.max(most, piece.own) : most), 0);
  const isHold =
    longest >= 0.8 * (stall.to - stall.from) || (fresh === 0 && callbacks.size <= 1 && sections.length <= 1);
  return { shares, unknownMs, kind: isHold ? 'hold' : 'burst' };
}

/**
 * Whose a section's own time is. A callback is the application's code, which may open spans of its own: of the time that
 * samples saw it in those, they are the owners, each since the sample before it or since it began.
 */
function ownersOf<Owner>(
  piece: SectionPiece<Owner>,
  ms: number,
  pieces: readonly SectionPiece<Owner>[],
  samples: readonly Sample<Owner>[],
  startOf: StartOf<Owner>,
): { owner: Owner | undefined; ms: number }[] {
  const whole = [{ owner: piece.owner, ms }];
  if (piece.section.phase !== 'callback') return whole;
  const within = (sample: Sample<Owner>, { start, end }: SectionPiece<Owner>) => sample.at >= start && sample.at <= end;
  const foreign = (sample: Sample<Owner>) => sample.judgement.span && sample.owner !== piece.owner;
  if (!samples.some((sample) => foreign(sample) && within(sample, piece))) return whole;
  const nested = pieces.filter((other) => other !== piece && other.start >= piece.start && other.end <= piece.end);
  const seen = samples.filter(
    (sample) => sample.judgement.span && within(sample, piece) && !nested.some((other) => within(sample, other)),
  );
  const owned = new Map<Owner | undefined, number>();
  let total = 0;
  const add = (owner: Owner | undefined, from: number, to: number) => {
    const time = gaps(from, to, nested).reduce((sum, gap) => sum + gap.to - gap.from, 0);
    owned.set(owner, (owned.get(owner) ?? 0) + time);
    total += time;
  };
  let at = piece.start;
  for (const sample of seen) {
    const begun = sample.owner === undefined ? at : Math.max(at, Math.min(sample.at, startOf(sample.owner)));
    add(piece.owner, at, begun);
    add(sample.owner, begun, sample.at);
    at = sample.at;
  }
  add(seen.length > 0 ? seen.at(-1)!.owner : piece.owner, at, piece.end);
  if (total === 0) return whole;
  return [...owned].map(([owner, time]) => ({ owner, ms: (ms * time) / total }));
}

/**
 * How much of a gap lies before anything that its first samples prove. They prove their own run: one operation from the
 * first one's posting to the last one that saw the same span. Before it that span may have held the loop for as long
 * again, but no longer: else one sample of a turn made of many short callbacks would give it to whoever it met.
 */
function unknownHead<Owner>(gap: Interval, inside: readonly Sample<Owner>[]): number {
  const first = inside[0];
  if (!first) return 0;
  const head = Math.max(0, first.postedAt - gap.from);
  if (!first.judgement.span) return head;
  let last = first;
  for (const sample of inside) {
    if (!sample.judgement.span || sample.owner !== first.owner) break;
    last = sample;
  }
  return Math.max(0, head - (last.at - first.postedAt));
}

/** Where one span's time ends and the next one's begins. */
function border<Owner>(sample: Sample<Owner>, next: Sample<Owner>, startOf: StartOf<Owner>): number {
  const begun = next.owner === undefined ? 0 : startOf(next.owner);
  if (begun > sample.at && begun < next.at) return begun;
  return (sample.at + next.at) / 2;
}

function seeCode<Owner>(share: Share<Owner>, code: Frame | undefined, stack: readonly Frame[], ms: number): void {
  if (!code || (share.code && ms <= share.codeMs)) return;
  share.code = code;
  share.codeMs = ms;
  share.stack = stack;
}
