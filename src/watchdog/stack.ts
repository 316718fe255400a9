import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runInNewContext } from 'node:vm';
import type { Frame } from './judge.ts';

const DEPTH = 32;

type CallSites = (above: Function) => NodeJS.CallSite[];

/**
 * Call sites by a realm of our own: it sees the frames of all realms, never touches the application's `Error` (whose
 * `prepareStackTrace` may be replaced, frozen or slow) and never loads a source map on the loop.
 */
function callSitesOfOwnRealm(): CallSites {
  return runInNewContext(
    `Error.stackTraceLimit = ${DEPTH};
     Error.prepareStackTrace = (error, sites) => sites;
     (above) => { const o = {}; Error.captureStackTrace(o, above); return o.stack; }`,
    undefined,
    'node:loopblame',
  ) as CallSites;
}

const isWindows = process.platform === 'win32';

/**
 * The path of a `file:` URL. A sample runs in the midst of the application's code, so it may use nothing that can't be
 * entered anew: `fileURLToPath` parses by `URL`, whose parser leaves its result where the application's own, interrupted
 * `new URL()` is about to read it; and a regular expression changes `RegExp.$1`.
 */
function toPath(file: string): string {
  if (!file.startsWith('file:///')) return file;
  const ends = ['?', '#'].map((mark) => file.indexOf(mark)).filter((end) => end > 0);
  try {
    const path = decodeURIComponent(file.slice('file://'.length, Math.min(file.length, ...ends)));
    return isWindows ? path.slice(1).replaceAll('/', '\\') : path;
  } catch {
    return file;
  }
}

/** `Type.method`, as V8 names it in a stack, without the parts that say nothing. */
function nameOf(site: NodeJS.CallSite): string {
  const name = site.getFunctionName();
  if (!name) return '<anonymous>';
  let type: string | null = null;
  try {
    type = site.isToplevel() || site.isConstructor() ? null : site.getTypeName();
  } catch {
    // a receiver that cannot be inspected (a revoked proxy)
  }
  if (!type || type === 'Object' || type === 'Function' || name.startsWith(`${type}.`) || name.includes('.'))
    return name;
  return `${type}.${name}`;
}

function toFrame(site: NodeJS.CallSite): Frame {
  return {
    functionName: nameOf(site),
    file: toPath(site.getFileName() ?? ''),
    line: site.getLineNumber() ?? 0,
    column: site.getColumnNumber() ?? 0,
    enclosingLine: site.getEnclosingLineNumber() ?? 0,
    enclosingColumn: site.getEnclosingColumnNumber() ?? 0,
    isAsync: site.isAsync(),
  };
}

function isOurPackage(folder: string): boolean {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }).name === 'loopblame';
  } catch {
    return false;
  }
}

/** Takes stacks of the running code. */
export class StackReader {
  readonly #sites: CallSites = callSitesOfOwnRealm();
  readonly #ownFolder: string | undefined;

  constructor() {
    const own = toPath(this.#sites(this.#sites)[0]?.getFileName() ?? '');
    // In a bundled application our code lies in the application's own files, whose frames are the ones to show.
    this.#ownFolder = own && isOurPackage(dirname(dirname(own))) ? dirname(own) : undefined;
  }

  /**
   * The frames that called `above`, innermost first, without those of loopblame and without the first `skip` ones.
   * Where `above` is not on the stack there are none, nor while V8 formats a stack.
   */
  frames(above: Function, skip = 0): Frame[] {
    const frames: Frame[] = [];
    const sites = this.#sites(above);
    // In the midst of another stack's formatting (by source maps, it may take long) V8 gives text alone.
    if (!Array.isArray(sites)) return frames;
    for (const site of sites.slice(skip)) {
      const frame = toFrame(site);
      if (this.#ownFolder === undefined || !frame.file || dirname(frame.file) !== this.#ownFolder) frames.push(frame);
    }
    return frames;
  }
}

/** The stack as text, in V8's form. */
export function formatStack(frames: readonly Frame[]): string {
  return frames
    .map(
      (f) => `    at ${f.isAsync ? 'async ' : ''}${f.functionName} (${f.file || '<anonymous>'}:${f.line}:${f.column})`,
    )
    .join('\n');
}
