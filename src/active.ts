import { mainGlobal } from './main-global.ts';
import type { SectionRecorder } from './sections/recorder.ts';

/** What other parts of the package (and other copies of it) may use of the instance that is at work. */
export interface ActiveInstance {
  readonly sections: SectionRecorder | undefined;
}

const KEY = Symbol.for('loopblame.active');
const globals = globalThis as { [KEY]?: ActiveInstance | undefined };

/** The instance that watches this process: two would mark every span twice. */
export function activeInstance(): ActiveInstance | undefined {
  return globals[KEY];
}

export function setActiveInstance(instance: ActiveInstance | undefined): void {
  globals[KEY] = instance;
}

const TEST_KEY = Symbol.for('loopblame.testing');
const testGlobals = mainGlobal as { [TEST_KEY]?: ActiveInstance | undefined };

/** What watches this loop for a test (`loopblame/testing`), beside an instance or without one. */
export function testWatch(): ActiveInstance | undefined {
  return testGlobals[TEST_KEY];
}

export function setTestWatch(watch: ActiveInstance | undefined): void {
  testGlobals[TEST_KEY] = watch;
}
