/** What a forecast reads of an attribute. */
export type AttributeValue = string | number | boolean | undefined;

/** An event of a span. */
export interface TracedEvent {
  readonly name: string;
  /** When it was, in milliseconds since 1970, with fractions. */
  readonly timeMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/**
 * A span as it was exported, in plain form. {@link spansOf} makes them of OTLP/JSON; whoever has spans in another form
 * makes them as easily. Only attributes and events that loopblame writes, and the request's method and route, are looked at.
 *
 * @since 0.1.0
 */
export interface TracedSpan {
  /** Anything that tells processes apart. */
  readonly process: string;
  readonly traceId: string;
  readonly spanId: string;
  /** `undefined` in a root span. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  /** Whether its kind is SERVER: a request, as its client sees it. */
  readonly isServer: boolean;
  /** In milliseconds since 1970, with fractions. */
  readonly startMs: number;
  /** In milliseconds since 1970, with fractions. */
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly events: readonly TracedEvent[];
}
