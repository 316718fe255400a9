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
