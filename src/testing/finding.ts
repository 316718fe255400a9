import { relative } from 'node:path';
import { evidenceOf } from '../blame/marks.ts';
import { callOf, type Share } from '../blame/shares.ts';
import { isDebuggerListening } from '../watchdog/debugger.ts';
import type { Frame } from '../watchdog/judge.ts';
import { formatStack } from '../watchdog/stack.ts';
import { isAsleep, ownFraction, spanCause } from '../watchdog/verdict.ts';
import { LoopBlockedError } from './error.ts';
import { toSource } from './source-map.ts';
import type { Hold } from './watch.ts';

/** What a check makes of the holds that it saw. */
export interface Finding {
  /** Why it fails; `undefined` where no code held the loop for longer than the limit. */
  readonly error: LoopBlockedError | undefined;
  /** Of each hold over the limit that is nobody's fault, what it was. */
  readonly remarks: readonly string[];
}

/** Shares that are told beside the largest one. */
const OTHERS_SHOWN = 2;

/** A hold, as far as it lies in the window that is checked. */
interface Judged {
  readonly hold: Hold;
  readonly ms: number;
  /** Of that, what the code did: neither waiting for a CPU, nor stopped, nor collecting garbage, nor by `allowBlocking`. */
  readonly ownMs: number;
}

/** Judges the holds of a window of time. */
export function findingOf(holds: readonly Hold[], from: number, to: number, maxMs: number): Finding {
  const over = holds.map((hold) => judge(hold, from, to)).filter(({ ms }) => ms > maxMs);
  const blocks = over.filter(({ ownMs }) => ownMs > maxMs).sort((a, b) => b.ownMs - a.ownMs);
  return {
    error: blocks[0] && errorOf(blocks[0], blocks.length, maxMs),
    remarks: over
      .filter(({ ownMs }) => ownMs <= maxMs)
      .map((judged) => `the event loop stood still for ${inMs(judged.ms)}, which fails no test: ${whatElse(judged)}`),
  };
}

function judge(hold: Hold, from: number, to: number): Judged {
  const length = hold.to - hold.from;
  const ms = Math.max(0, Math.min(hold.to, to) - Math.max(hold.from, from));
  const { shares, unknownMs } = hold.shares;
  let doneMs = (unknownMs - collectingMs(hold)) * ownFraction(hold.evidence, 'unknown');
  for (const share of shares) {
    if (!isExpected(share)) doneMs += share.ms * ownFraction(evidenceOf(share, hold.evidence), 'unknown');
  }
  return { hold, ms, ownMs: isPause(hold) ? 0 : (ms * Math.max(0, doneMs)) / length };
}

/** Asleep in the midst of JavaScript, and in no call that was measured: a debugger has paused it. */
function isPause({ evidence, shares: { shares } }: Hold): boolean {
  return isAsleep(evidence) && !shares.some(({ section }) => section) && isDebuggerListening();
}

const isExpected = (share: Share<never>): boolean => share.section?.expected !== undefined;

function expectedMs({ shares: { shares } }: Hold): number {
  return shares.filter(isExpected).reduce((sum, share) => sum + share.ms, 0);
}

function collectingMs({ from, to, evidence: { gc = 0, wall } }: Hold): number {
  return wall > 0 ? (gc * (to - from)) / wall : 0;
}

const inMs = (ms: number): string => `${Math.round(ms)} ms`;

const DOING: Readonly<Record<string, string>> = {
  cpu: ', using the CPU',
  native_wait: ', waiting in native code',
};

function errorOf(judged: Judged, count: number, maxMs: number): LoopBlockedError {
  const { hold, ms, ownMs } = judged;
  const [top, ...others] = hold.shares.shares.filter((share) => !isExpected(share));
  const code = top?.code && toSource(top.code);
  const cause = spanCause(top ? evidenceOf(top, hold.evidence) : hold.evidence);
  const lines = [
    `the event loop was held for ${inMs(ownMs)} (allowed: ${maxMs} ms) by ${who(code, top)}${DOING[cause] ?? ''}`,
  ];
  for (const share of others.slice(0, OTHERS_SHOWN)) {
    if (share.ms >= 1) lines.push(`${inMs(share.ms)} of it by ${who(share.code && toSource(share.code), share)}`);
  }
  if (ms - ownMs >= 1) lines.push(`it stood still for ${inMs(ms)} in all, which counts without: ${whatElse(judged)}`);
  if (count > 1) lines.push(`it was the longest of ${count} such holds`);
  const { functionName, file, line } = code ?? {};
  const details = { heldMs: ownMs, maxMs, cause, functionName, file, line };
  return new LoopBlockedError(lines.join('\n  '), details, top ? formatStack(top.stack.map(toSource)) : '');
}

function who(code: Frame | undefined, share: Share<never> | undefined): string {
  const section = share && callOf(share)?.name;
  if (!code) return section ?? 'code that was not seen';
  return `${code.functionName} (${shortPath(code.file)}:${code.line})${section ? ` in ${section}` : ''}`;
}

function shortPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path === '' || path.startsWith('..') ? file : path;
}

/** What a hold's time is made of beside the code's own. */
function whatElse({ hold, ms, ownMs }: Judged): string {
  const { queue = 0, stopped = 0 } = hold.evidence;
  const parts: [string, number][] = [
    ['waiting for a CPU', queue],
    ['stopped with its process', stopped],
    ['garbage collection', collectingMs(hold)],
    ['expected (allowBlocking)', expectedMs(hold)],
  ];
  const told = parts.filter(([, partMs]) => partMs >= 1);
  const toldMs = told.reduce((sum, [, partMs]) => sum + partMs, 0);
  const words = told.map(([what, partMs]) => `${inMs(partMs)} ${what}`);
  if (isPause(hold)) return 'paused by a debugger';
  if (toldMs < (ms - ownMs) / 2) words.push('what a machine short of CPUs makes impossible to tell');
  return words.join(', ');
}
