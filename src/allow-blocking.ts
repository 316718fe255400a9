import { activeInstance, testWatch } from './active.ts';
import { Section } from './sections/recorder.ts';

/** Reasons told apart: they are constants of the code, so that there are few. */
const MAX_REASONS = 100;
const sections = new Map<string, Section>();

const sectionFor = (expected: string): Section =>
  new Section('allowBlocking', 'call', 'nodejs', { slow: true, expected });
const others = sectionFor('_OTHER');

function sectionOf(reason: string): Section {
  const known = sections.get(reason);
  if (known) return known;
  if (sections.size >= MAX_REASONS) return others;
  const section = sectionFor(reason);
  sections.set(reason, section);
  return section;
}

/**
 * Runs `fn` and returns what it returns, as a block that you expect: loading a configuration, warming a cache. It is
 * counted in `event_loop.blocked.duration` with `reason` as `event_loop.blocked.expected`, and no span is marked for it;
 * requests that had to wait are told all the same. Of an async function, the part before its first `await` is meant.
 *
 * Without an {@link EventLoopInstrumentation} at work it just runs `fn`. The checks of `loopblame/testing` let it pass.
 *
 * @param reason why it is fine to hold the loop here; a constant, since it becomes a metric's attribute
 * @throws {TypeError} when `reason` is not a string of 1 to 100 characters, or `fn` no function; and whatever `fn` throws
 * @since 0.1.0
 */
export function allowBlocking<T>(reason: string, fn: () => T): T {
  if (typeof reason !== 'string' || reason.length < 1 || reason.length > 100) {
    throw new TypeError('loopblame: reason must be a string of 1 to 100 characters');
  }
  if (typeof fn !== 'function') throw new TypeError('loopblame: fn must be a function');
  const recorder = activeInstance()?.sections;
  const run = recorder ? () => recorder.run<T>(sectionOf(reason), undefined, fn, undefined, [], allowBlocking) : fn;
  const testRecorder = testWatch()?.sections;
  return testRecorder ? testRecorder.run<T>(sectionOf(reason), undefined, run, undefined, [], allowBlocking) : run();
}
