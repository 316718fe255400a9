import { findSourceMap } from 'node:module';
import { mainGlobal } from '../main-global.ts';
import type { Frame } from '../watchdog/judge.ts';

/**
 * Where a frame stands in the source that was written, if it can be known: by Node's own source maps (tsx, or
 * `--enable-source-maps`), or by those of a test runner, which maps stacks in `Error.prepareStackTrace`.
 */
export function toSource(frame: Frame): Frame {
  if (!frame.file || frame.file.startsWith('node:')) return frame;
  try {
    return byNode(frame) ?? byRunner(frame) ?? frame;
  } catch {
    return frame;
  }
}

function byNode(frame: Frame): Frame | undefined {
  const entry = findSourceMap(frame.file)?.findEntry(frame.line - 1, frame.column - 1);
  if (!entry || !('originalSource' in entry) || entry.originalLine === undefined) return undefined;
  return { ...frame, line: entry.originalLine + 1, column: entry.originalColumn + 1 };
}

type PrepareStackTrace = (error: Error, sites: NodeJS.CallSite[]) => unknown;

/** A runner that loads tests in contexts of their own maps stacks in one of the two. */
function byRunner(frame: Frame): Frame | undefined {
  for (const realm of [globalThis, mainGlobal as typeof globalThis]) {
    const prepare = realm.Error.prepareStackTrace as PrepareStackTrace | undefined;
    if (typeof prepare !== 'function') continue;
    const text = String(prepare(new Error('mapped'), [asCallSite(frame) as NodeJS.CallSite]));
    const [, line, column] =
      text
        .split('\n')
        .at(-1)
        ?.match(/:(\d+):(\d+)\)?$/) ?? [];
    if (line && column && (Number(line) !== frame.line || Number(column) !== frame.column)) {
      return { ...frame, line: Number(line), column: Number(column) };
    }
  }
  return undefined;
}

/** As much of a call site as formatters ask for. They copy the methods of its prototype. */
function asCallSite({ functionName, file, line, column }: Frame): object {
  return Object.create({
    getThis: () => undefined,
    getTypeName: () => null,
    getFunction: () => undefined,
    getFunctionName: () => functionName,
    getMethodName: () => null,
    getFileName: () => file,
    getScriptNameOrSourceURL: () => file,
    getScriptHash: () => '',
    getLineNumber: () => line,
    getColumnNumber: () => column,
    getEnclosingLineNumber: () => line,
    getEnclosingColumnNumber: () => column,
    getPosition: () => 0,
    getEvalOrigin: () => undefined,
    getPromiseIndex: () => null,
    isToplevel: () => true,
    isEval: () => false,
    isNative: () => false,
    isConstructor: () => false,
    isAsync: () => false,
    isPromiseAll: () => false,
    toString: () => `${functionName} (${file}:${line}:${column})`,
  });
}
