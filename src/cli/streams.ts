/** What a command reads from and writes to. */
export interface Streams {
  readonly out: { write(text: string): unknown };
  readonly err: { write(text: string): unknown };
  readonly stdin: NodeJS.ReadableStream;
}

/** As grep has it: it found something, it found nothing, it could not look. */
export const ExitCode = { FOUND: 0, NOTHING: 1, TROUBLE: 2 } as const;
