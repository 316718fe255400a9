import { relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

export interface SuiteResult {
  passed: number;
  failed: number;
  /** Every test that was not run or would not count if it failed: its full name, and why. */
  skipped: { file: string; name: string; reason: string }[];
}

const HUNG_FILE_MS = 10 * 60_000;

/** Runs test files one after another, each in a process of its own, and writes node:test's report to stdout. */
export async function runSuite(files: string[]): Promise<SuiteResult> {
  const result: SuiteResult = { passed: 0, failed: 0, skipped: [] };
  const open = new Map<string | undefined, string[]>();
  const markAsSkipped = (test: { file?: string | undefined; name: string; nesting: number }, reason: string) => {
    const name = [...(open.get(test.file) ?? []).slice(0, test.nesting), test.name].join(' > ');
    result.skipped.push({ file: relative('.', test.file ?? ''), name, reason });
  };

  // one file at a time: two that measure time on the same cores would measure each other
  const events = run({ files, concurrency: 1, timeout: HUNG_FILE_MS });
  events.on('test:start', ({ file, name, nesting }) => {
    const path = open.get(file) ?? [];
    path.splice(nesting, path.length, name);
    open.set(file, path);
  });
  events.on('test:pass', (test) => {
    const reason = why(test.skip) ?? why(test.todo);
    if (reason !== undefined) markAsSkipped(test, reason);
    // node:test reports a file that declares no test as a test that passed
    else if (files.includes(test.name)) markAsSkipped(test, 'the file declares no test');
    else if (test.details.type !== 'suite') result.passed++;
  });
  events.on('test:fail', (test) => {
    const reason = why(test.todo);
    if (reason !== undefined) markAsSkipped(test, reason);
    // a suite fails because of a test in it, which was counted
    else if (failureType(test.details.error) !== 'subtestsFailed') result.failed++;
  });

  for await (const text of events.compose(new spec())) process.stdout.write(text);
  return result;
}

function failureType(error: unknown): unknown {
  return error instanceof Error && 'failureType' in error ? error.failureType : undefined;
}

/** `skip: true` arrives as true, `skip: 'reason'` as the reason. */
function why(mark: string | boolean | undefined): string | undefined {
  if (mark === undefined || mark === false) return undefined;
  return typeof mark === 'string' && mark !== '' ? mark : 'no reason given';
}
