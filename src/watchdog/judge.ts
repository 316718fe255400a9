/** One frame of a sampled stack, innermost first. Lines and columns count from 1. */
export interface Frame {
  readonly functionName: string;
  /** Path, `file:` URL or `node:` name; empty for code without a file. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where the function that the frame is in begins: at the parenthesis of its parameter list. */
  readonly enclosingLine: number;
  readonly enclosingColumn: number;
  /** An awaiting caller, which V8 adds to the stack: it was not running. */
  readonly isAsync: boolean;
}

/** What a sample proves. */
export interface Judgement {
  /** Whether the span that was active at the sample is the one that ran during the whole wait for the sample. */
  readonly span: boolean;
  /** The innermost frame of the user's own code that was open during the whole wait. */
  readonly code: Frame | undefined;
  readonly why: 'encloses' | 'internal-encloses' | 'after-hook' | 'dispatcher' | 'empty';
}

/** Node's functions that run one callback after the other: an interrupt in them is between two operations. */
const DISPATCHERS = new Set([
  'processTimers',
  'listOnTimeout',
  'processImmediate',
  'processTicksAndRejections',
  'runNextTicks',
  'callbackTrampoline',
  'runMicrotasks',
  'topLevelDomainCallback',
]);

/** Node's functions that run after a callback, while its context is still the active one. */
const AFTER_HOOKS = new Set([
  'promiseAfterHook',
  'promiseAfterHookWithDestroy',
  'emitAfterScript',
  'emitAfterNative',
  'emitDestroyScript',
  'destroyHooksExist',
  'removeStoresFromResource',
  'cleanImmediate',
  'hasHooks',
  'afterHook',
  'emitHook',
]);

/** V8 names a method with its receiver's type: `process.processTimers`. */
const bareName = ({ functionName }: Frame): string => functionName.slice(functionName.lastIndexOf('.') + 1);
const isInternal = (frame: Frame): boolean => frame.file === '' || frame.file.startsWith('node:');
const isDependency = ({ file }: Frame): boolean => file.includes('/node_modules/') || file.includes('\\node_modules\\');

/**
 * Whether the frame stands at its function's entry, where V8 takes a waiting interrupt: within the parameter list's
 * start, give or take the function's name (31 of 31 function syntaxes; a false hit only makes the answer more careful).
 */
function standsAtEntry(frame: Frame): boolean {
  const name = bareName(frame).length;
  return (
    frame.line === frame.enclosingLine &&
    frame.column >= frame.enclosingColumn &&
    frame.column <= frame.enclosingColumn + 16 + name
  );
}

/** The innermost frame of the user's own code, else of a dependency's. */
export function userFrame(frames: readonly Frame[]): Frame | undefined {
  return frames.find((f) => !isInternal(f) && !isDependency(f)) ?? frames.find((f) => !isInternal(f));
}

/**
 * What a sample proves about the time between its posting and its execution. An interrupt that finds native code running
 * is taken at the first JavaScript function entered *after* it. So every frame but a just-entered top one was open during
 * the whole wait, and the wait is one operation's. Where no such frame is left, the next operation may already have
 * begun (on Node 24 and later without any JavaScript between two promise continuations), and naming it would blame the innocent.
 */
export function judge(sampled: readonly Frame[]): Judgement {
  const frames = sampled.filter((frame) => !frame.isAsync);
  const top = frames[0];
  if (!top) return { span: false, code: undefined, why: 'empty' };
  const open = standsAtEntry(top) ? frames.slice(1) : frames;
  const real = open.filter((frame) => !(isInternal(frame) && DISPATCHERS.has(bareName(frame))));
  const code = userFrame(real);
  if (code) return { span: true, code, why: 'encloses' };
  if (real.length > 0) return { span: true, code: undefined, why: 'internal-encloses' };
  if (isInternal(top) && AFTER_HOOKS.has(bareName(top))) return { span: true, code: undefined, why: 'after-hook' };
  return { span: false, code: undefined, why: 'dispatcher' };
}
