import { diag } from '@opentelemetry/api';

const logger = diag.createComponentLogger({ namespace: 'loopblame' });
const said = new Set<string>();
let warningsAreShown = false;

/** What loopblame did, in one line: OpenTelemetry's diagnostic logger at level info. */
export function logInfo(message: string): void {
  logger.info(message);
}

/** A part that can't work says so once a kind, and the rest goes on. */
export function warnOnce(kind: string, message: string, error?: unknown): void {
  if (said.has(kind)) return;
  said.add(kind);
  if (warningsAreShown && !hasLogger()) console.warn(`loopblame: ${message}${error === undefined ? '' : `: ${error}`}`);
  else if (error === undefined) logger.warn(message);
  else logger.warn(message, error);
}

/**
 * From now on warnings are written to stderr where the application has no diagnostic logger. Setting one ourselves would
 * make the application's own `diag.setLogger()` complain.
 */
export function showWarnings(): void {
  warningsAreShown = true;
}

/** Whether a diagnostic logger is set: the API keeps it where all its copies find it. */
export function hasLogger(): boolean {
  const api = (globalThis as { [key: symbol]: { diag?: unknown } | undefined })[Symbol.for('opentelemetry.js.api.1')];
  return api?.diag !== undefined;
}
