export {
  type Culprit,
  type CulpritForecast,
  type Forecast,
  forecast,
  type RouteForecast,
} from './forecast/forecast.ts';
export { readTraces, spansOf, type Traces } from './forecast/otlp.ts';
export type { Latency } from './forecast/quantiles.ts';
export { MIN_REQUESTS, MIN_REQUESTS_FOR_P99 } from './forecast/quantiles.ts';
export type { AttributeValue, TracedEvent, TracedSpan } from './forecast/spans.ts';
