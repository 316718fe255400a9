import { diag } from '@opentelemetry/api';

const logger = diag.createComponentLogger({ namespace: 'loopblame' });
const said = new Set<string>();

/** What loopblame did, in one line: OpenTelemetry's diagnostic logger at level info. */
export function logInfo(message: string): void {
  logger.info(message);
}

/** A part that can't work says so once a kind, and the rest goes on. */
export function warnOnce(kind: string, message: string, error?: unknown): void {
  if (said.has(kind)) return;
  said.add(kind);
  if (error === undefined) logger.warn(message);
  else logger.warn(message, error);
}
