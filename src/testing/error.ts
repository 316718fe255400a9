import type { Cause } from '../semconv.ts';

/** What a {@link LoopBlockedError} knows beside its message. */
export interface BlockedDetails {
  readonly heldMs: number;
  readonly maxMs: number;
  readonly cause: Cause;
  readonly functionName: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;
}

/**
 * The event loop was held for longer than a test allows. Its `stack` is that of the code that held it, so that a test
 * runner shows the very line.
 *
 * @since 0.1.0
 */
export class LoopBlockedError extends Error {
  override readonly name: string = 'LoopBlockedError';
  readonly code: string = 'ERR_LOOP_BLOCKED';
  /** How long the code itself held the loop, in milliseconds. */
  readonly heldMs: number;
  /** What was allowed. */
  readonly maxMs: number;
  /** `cpu` or `native_wait`; `unknown` where the system does not tell. */
  readonly reason: string;
  /** The innermost function of your own code; `undefined` where none was seen, as the two below. */
  readonly functionName: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;

  /** @internal */
  constructor(message: string, details: BlockedDetails, stack: string) {
    super(message);
    this.heldMs = details.heldMs;
    this.maxMs = details.maxMs;
    this.reason = details.cause;
    this.functionName = details.functionName;
    this.file = details.file;
    this.line = details.line;
    // The stack of whoever found it says nothing.
    const value = `${this.name}: ${message}${stack && `\n${stack}`}`;
    Object.defineProperty(this, 'stack', { value, configurable: true, writable: true });
  }
}
