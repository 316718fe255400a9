/** How OpenTelemetry's environment variables are read: an empty one counts as not set. */

/** `exporter.otlp.timeout` of the specification, in milliseconds. */
export const DEFAULT_OTLP_TIMEOUT_MS = 10_000;

export const text = (value: string | undefined): string | undefined => value?.trim() || undefined;

/** `undefined` for what is no number over 0. */
export function positive(value: string | undefined): number | undefined {
  const number = Number(text(value) ?? Number.NaN);
  return Number.isFinite(number) && number > 0 ? number : undefined;
}
