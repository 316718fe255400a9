import assert from 'node:assert/strict';
import { type ProgramOptions, type ProgramResult, runProgram } from './program.ts';
import { startReceiver } from './receiver.ts';

/**
 * Runs a program that tells all it sees of a client's calls (programs/side-by-side.mjs) without loopblame, with it, and
 * with it as `variants` have it: nothing it sees may differ. The program says as `patched` whether it found the client
 * patched.
 */
export async function assertSameSideBySide(
  name: string,
  options: ProgramOptions,
  variants: NodeJS.ProcessEnv[] = [{ LOOPBLAME_CLIENT_SPANS: 'false' }],
): Promise<void> {
  // where nobody listens, exports that are tried again and again keep a program from its natural end
  const receiver = await startReceiver();
  const run = async (more: ProgramOptions): Promise<ProgramResult> => {
    const result = await runProgram(name, { receiver, ...options, ...more, env: { ...options.env, ...more.env } });
    assert.equal(result.code, 0, `${result.stderr}${result.stdout}`);
    assert.equal(result.truth.length, 1, result.stdout);
    return result;
  };
  const [without, ...patched] = await Promise.all([
    run({ register: 'none' }),
    ...[{}, ...variants].map((env) => run({ env })),
  ]).finally(() => receiver.close());
  const { seen } = without.truth[0];
  assert.equal(without.truth[0].patched, false);
  assert.ok(seen.length > 0);
  for (const { truth } of patched) {
    assert.equal(truth[0].patched, true);
    // one by one: a difference is told with what it is about
    for (const [i, [what, value]] of seen.entries()) assert.deepEqual(truth[0].seen[i], [what, value], what);
    assert.equal(truth[0].seen.length, seen.length);
  }
}
