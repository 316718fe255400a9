import type { SampleStamp, SpanIds, Stamps } from '../sections/stamp-reader.ts';
import type { SectionName } from '../sections/stamps.ts';
import type { Cause } from '../semconv.ts';
import type { StallEvidence } from '../watchdog/verdict.ts';

/** What the thread sees of a loop that is still stuck. Times are milliseconds on the monotonic clock. */
export interface Observation {
  readonly at: number;
  /** For how long the loop has been stuck; never more than the truth, but for the time a healthy look may be late. */
  readonly stuckMs: number;
  readonly cause: Cause;
  readonly evidence: StallEvidence;
  readonly stamps: Stamps;
  readonly sectionName: (number: number) => SectionName | undefined;
  /** The last sample of this stall. */
  readonly sample: SampleStamp | undefined;
  /** Whether the loop still takes samples: then the last one shows what it does now. */
  readonly isSampleCurrent: boolean;
  /** Why nobody is to be alarmed, where that is so. */
  readonly expected: string | undefined;
  /** Requests that stand unread, and connections that nobody accepted, where they were counted. */
  readonly unread?: number | undefined;
  readonly acceptQueue?: number | undefined;
}

interface OpenSection extends SectionName {
  readonly span: SpanIds | undefined;
  readonly ms: number;
}

/** Who is at fault, as far as can be seen. */
export interface Culprit {
  readonly section: OpenSection | undefined;
  readonly span: SpanIds | undefined;
  readonly sample: SampleStamp | undefined;
  readonly expected: string | undefined;
}

/**
 * The innermost section in progress that has been so for half of the stall: in a loop of short calls it is what runs the
 * loop. Where there is none, the sampled code does; or else the innermost one, which may be the last of many. A sample
 * knows the span better, where it is current: its code may have one of its own inside the section.
 */
export function culpritOf(observation: Observation): Culprit {
  const { at, stuckMs, stamps, sectionName, isSampleCurrent } = observation;
  const open = stamps.open
    .map(({ section, span, start }) => ({ ...nameOf(sectionName(section)), span, ms: at - start }))
    .reverse();
  const sample = observation.sample;
  const section = open.find(({ ms }) => ms >= stuckMs / 2) ?? (isSampleCurrent && sample ? undefined : open[0]);
  const sampledSpan = isSampleCurrent ? sample?.span : undefined;
  const ownSpan = section?.span ?? open.find(({ span }) => span)?.span;
  return {
    section,
    span: sampledSpan ?? ownSpan,
    // One that is out of date shows what came before; where a section is known, that is the better answer.
    sample: isSampleCurrent || !section ? sample : undefined,
    expected: open.find(({ expected }) => expected !== undefined)?.expected ?? observation.expected,
  };
}

const nameOf = (name: SectionName | undefined): SectionName => name ?? { name: 'unknown', phase: 'call', system: '' };

/** The sections that finished before, in words, latest first: `node-rdkafka produce × 12, 3 ms, 0.4 s ago`. */
export function before({ at, stamps, sectionName }: Observation): string[] {
  return stamps.finished.map(({ section, end, ms, runs }) => {
    const times = runs > 1 ? ` × ${runs}` : '';
    return `${nameOf(sectionName(section)).name}${times}, ${roundMs(ms)} ms, ${((at - end) / 1e3).toFixed(1)} s ago`;
  });
}

const roundMs = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));
