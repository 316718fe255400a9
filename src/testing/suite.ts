import { now } from '../clock.ts';
import { findingOf } from './finding.ts';
import { type LoopCheckOptions, resolveOptions } from './options.ts';
import { acquireWatch, releaseWatch } from './shared-watch.ts';
import type { LoopWatch } from './watch.ts';

const DEFAULT_MAX_MS = 50;
/** For set-ups that are named in a configuration, where no option can be given. */
const MAX_MS_VARIABLE = 'LOOPBLAME_TEST_MAX_MS';

// biome-ignore lint/suspicious/noExplicitAny: each runner passes something else, if anything
export type Hook = (fn: (...context: any[]) => Promise<void>) => unknown;

/** The hooks of a test runner, by its own names: of Vitest, Jest, Mocha, node:test, or one that is like them. */
export interface TestHooks {
  beforeEach: Hook;
  afterEach: Hook;
  /** One of the two. */
  beforeAll?: Hook | undefined;
  before?: Hook | undefined;
  /** One of the two. */
  afterAll?: Hook | undefined;
  after?: Hook | undefined;
}

/** Runners that pass no context to their hooks run one test after the other. */
const ONLY_TEST = {};

/**
 * A hook that declares no parameter, whatever it takes: by one, Jest would wait for a callback, and Vitest wants it to be
 * a pattern.
 */
function hookOf(run: (context: object) => Promise<void>): () => Promise<void> {
  return function hook() {
    // biome-ignore lint/complexity/noArguments: see above
    const [context] = arguments;
    return run(typeof context === 'object' && context ? context : ONLY_TEST);
  };
}

/**
 * Fails each test that holds the event loop for longer than `maxMs` in one go, its own `beforeEach` and `afterEach`
 * included. What runs between tests (loading modules, `beforeAll`) is not looked at.
 *
 * `loopblame/testing/vitest`, `/jest` and `/node-test` call it by themselves; call it for another limit, or another runner:
 *
 * ```js
 * import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
 * import { failOnBlockedLoop } from 'loopblame/testing';
 * failOnBlockedLoop({ beforeAll, beforeEach, afterEach, afterAll }, { maxMs: 100 });
 * ```
 *
 * What counts as held is told at `assertLoopNotBlocked`. Tests that run at the same time all fail for what one of them did.
 *
 * @throws {TypeError} when a hook is missing or an option is not accepted
 * @since 0.1.0
 */
export function failOnBlockedLoop(hooks: TestHooks, options: LoopCheckOptions = {}): void {
  const { beforeEach, afterEach } = hooks;
  const first = hooks.beforeAll ?? hooks.before;
  const last = hooks.afterAll ?? hooks.after;
  if (![beforeEach, afterEach, first, last].every((hook) => typeof hook === 'function')) {
    throw new TypeError('failOnBlockedLoop: hooks must have beforeEach, afterEach, beforeAll and afterAll');
  }
  const text = options?.maxMs === undefined ? process.env[MAX_MS_VARIABLE]?.trim() : undefined;
  const { maxMs, onRemark } = text
    ? resolveOptions(MAX_MS_VARIABLE, { ...options, maxMs: Number(text) }, DEFAULT_MAX_MS)
    : resolveOptions('failOnBlockedLoop', options, DEFAULT_MAX_MS);
  const starts = new WeakMap<object, number>();
  let watch: LoopWatch | undefined;

  first!(
    hookOf(async () => {
      watch = await acquireWatch();
    }),
  );
  beforeEach(
    hookOf(async (context) => {
      // Tests that await nothing may all run in one turn: each begins one of its own.
      await watch?.nextTurn();
      starts.set(context, now());
    }),
  );
  afterEach(
    hookOf(async (context) => {
      const from = starts.get(context);
      if (!watch || from === undefined) return;
      const holds = await watch.holdsSince(from);
      const { error, remarks } = findingOf(holds, from, now(), maxMs);
      for (const remark of remarks) onRemark(remark);
      if (error) throw error;
    }),
  );
  last!(
    hookOf(async () => {
      if (watch) releaseWatch();
      watch = undefined;
    }),
  );
}
