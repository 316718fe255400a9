declare const __VERSION__: string;

/** The version of loopblame, put in by the build. */
export const VERSION: string = __VERSION__;
