import type { Section, SectionDetails } from '../sections/recorder.ts';
import { type Frame, type Judgement, userFrame } from '../watchdog/judge.ts';
import { sampleIntervalMs } from '../watchdog/pace.ts';
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
  /** The call that made the most of it, if one did, and for how long in all: a response comes in many chunks. */
  section: Section | undefined;
  sectionMs: number;
  readonly sections: Map<string, number>;
  /** The time of each client's calls together, by its system. */
  readonly clients: Map<string, number>;
  /** What is known of its longest section alone; `undefined` where the stall's evidence is all there is. */
  evidence: StallEvidence | undefined;
  evidenceMs: number;
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
const LATE_SAMPLE_MS = 10;
/** How far beyond itself a sample speaks for its span: so many of the distances that samples are meant to have. */
const REACH = 2;

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

  /** Shares are told apart by span; without one, by section or function. */
  add(
    owner: Owner | undefined,
    { code, section }: { code?: Frame | undefined; section?: Section },
    ms: number,
    from: number,
    to: number,
  ): Share<Owner> {
    const key = owner ?? `${section?.name} ${section?.expected} ${code?.functionName} ${code?.file}`;
    let share = this.shares.get(key);
    if (!share) {
      share = {
        owner,
        ms: 0,
        from,
        to,
        section: undefined,
        sectionMs: 0,
        sections: new Map(),
        clients: new Map(),
        evidence: undefined,
        evidenceMs: 0,
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
      const share = ledger.add(owner, { section: piece.section }, ms, Math.max(piece.start, stall.from), piece.end);
      share.pieces += piece.runs;
      seeSection(share, piece, ms);
      const { phase } = piece.section;
      // Who has called a callback is its client; who calls a client is whoever the section is told of. A response has no
      // caller: what was seen inside (a parser of the application's own) tells more, where anything was.
      const isSeenInside =
        phase === 'decode' && samples.some((sample) => sample.judgement.code && within(sample, piece));
      if (piece.details && phase !== 'callback' && !isSeenInside) {
        seeCode(share, userFrame(piece.details.stack), piece.details.stack, ms);
        continue;
      }
      // What a sample saw inside the section names its caller, or the callback itself.
      for (const sample of samples) {
        if (!within(sample, piece) || !sample.judgement.code) continue;
        if (sample.owner !== owner && phase === 'callback') continue;
        seeCode(share, sample.judgement.code, sample.frames, Math.min(ms, sample.at - sample.postedAt));
      }
    }
  }

  const outermost = ordered.filter((piece) => piece.isOutermost);
  for (const gap of gaps(stall.from, stall.to, outermost)) {
    const inside = samples.filter((sample) => sample.at > gap.from && sample.at <= gap.to);
    for (const part of partsOf(gap, stall.from, inside, startOf)) {
      const { sample, from, to } = part;
      if (!sample) unknownMs += to - from;
      else if (!sample.judgement.span) pooledMs += to - from;
      else {
        const begun = sample.owner === undefined ? from : Math.max(from, Math.min(to, startOf(sample.owner)));
        unknownMs += begun - from;
        const share = ledger.add(sample.owner, sample.judgement, to - begun, begun, to);
        share.pieces++;
        // What a late thread did not see in between was the span's, but perhaps another function's.
        seeCode(
          share,
          sample.judgement.code,
          sample.frames,
          Math.min(to - begun, spokenFor(sample, from - stall.from)),
        );
      }
    }
    for (const sample of inside) {
      if (sample.judgement.span) callbacks.add(sample.callback);
      else if (!isLate(sample)) fresh++;
    }
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

const within = ({ at }: { at: number }, { start, end }: { start: number; end: number }): boolean =>
  at >= start && at <= end;

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

/** A part of a gap, and the sample that speaks for it: by itself, or, if it proves nothing, for a resume point. */
interface Part<Owner> extends Interval {
  readonly sample: Sample<Owner> | undefined;
}

/** Whether a sample had to wait for native code to end. */
export const isLate = <Owner>(sample: Sample<Owner>): boolean => sample.at - sample.postedAt > LATE_SAMPLE_MS;
const isProof = <Owner>(sample: Sample<Owner>): boolean => sample.judgement.span;
/** A late sample that proves nothing is one operation's whole wait, and nobody knows whose. */
const speaker = <Owner>(sample: Sample<Owner>): Sample<Owner> | undefined =>
  isProof(sample) || !isLate(sample) ? sample : undefined;

/** For how long a sample can speak for its function: its own wait, and as far as samples were meant to be apart then. */
const spokenFor = <Owner>(sample: Sample<Owner>, stuckMs: number): number =>
  sample.at - sample.postedAt + REACH * sampleIntervalMs(stuckMs);

/** Cuts a gap into parts by the samples taken in it. A thread that was late leaves holes: they are nobody's. */
function partsOf<Owner>(
  gap: Interval,
  stallFrom: number,
  samples: readonly Sample<Owner>[],
  startOf: StartOf<Owner>,
): Part<Owner>[] {
  const parts: Part<Owner>[] = [];
  const add = (from: number, to: number, sample: Sample<Owner> | undefined): void => {
    if (to > from) parts.push({ from, to, sample });
  };
  const reachAt = (at: number): number => REACH * sampleIntervalMs(at - stallFrom);

  const first = samples[0];
  if (!first) {
    add(gap.from, gap.to, undefined);
    return parts;
  }
  let at = Math.max(gap.from, first.postedAt - provenRun(samples));
  add(gap.from, at, undefined);
  let before: Sample<Owner> | undefined;
  for (const sample of samples) {
    const posted = Math.max(at, sample.postedAt);
    if (!before || (isProof(before) && isProof(sample) && before.owner === sample.owner)) add(at, posted, sample);
    else {
      // Between two speakers the border lies anywhere between their samples: in the middle, or where the second began.
      const begun = isProof(sample) && sample.owner !== undefined ? startOf(sample.owner) : 0;
      const middle = begun > at && begun < posted ? begun : (at + posted) / 2;
      const reach = Math.min(reachAt(at), reachAt(posted)) / 2;
      const left = Math.min(middle, at + reach);
      const right = Math.max(middle, posted - reach);
      add(at, left, speaker(before));
      add(left, right, undefined);
      add(right, posted, speaker(sample));
    }
    add(posted, sample.at, speaker(sample));
    at = Math.max(at, sample.at);
    before = sample;
  }
  const end = Math.min(gap.to, at + reachAt(at));
  add(at, end, before && speaker(before));
  add(end, gap.to, undefined);
  return parts;
}

/**
 * For how long the first samples prove one run: from the first one's posting to the last one that saw the same span.
 * Before it that span may have held the loop for as long again, but no longer: else one sample of a turn made of many
 * short callbacks would give all that was before it to whoever it met.
 */
function provenRun<Owner>(samples: readonly Sample<Owner>[]): number {
  const first = samples[0];
  if (!first || !isProof(first)) return 0;
  let last = first;
  for (const sample of samples) {
    if (!isProof(sample) || sample.owner !== first.owner) break;
    last = sample;
  }
  return last.at - first.postedAt;
}

function seeSection<Owner>(share: Share<Owner>, { section, details }: SectionPiece<Owner>, ms: number): void {
  const sum = (share.sections.get(section.name) ?? 0) + ms;
  share.sections.set(section.name, sum);
  share.clients.set(section.system, (share.clients.get(section.system) ?? 0) + ms);
  if (sum > share.sectionMs) {
    share.section = section;
    share.sectionMs = sum;
  }
  if (ms > share.evidenceMs) {
    share.evidence = details?.evidence;
    share.evidenceMs = ms;
  }
}

/**
 * The call that a share is told by: the one that made the most of it, where its client's calls made at least half. One
 * request of a client may be several calls, none of which takes half of the time.
 */
export function callOf<Owner>({ ms, section, clients }: Share<Owner>): Section | undefined {
  return section && (clients.get(section.system) ?? 0) >= ms / 2 ? section : undefined;
}

function seeCode<Owner>(share: Share<Owner>, code: Frame | undefined, stack: readonly Frame[], ms: number): void {
  if (!code || (share.code && ms <= share.codeMs)) return;
  share.code = code;
  share.codeMs = ms;
  share.stack = stack;
}
