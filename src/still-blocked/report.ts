import { type LoopThread, threadAttributes } from '../loop-thread.ts';
import * as semconv from '../semconv.ts';
import { before, type Culprit, culpritOf, type Observation } from './observation.ts';
import { type Attributes, Double, type Gauge, type LogRecord } from './otlp.ts';

/** From so many times the limit on, a loop that is still blocked is an error. */
const ERROR_FROM = 5;

const seconds = (ms: number): Double => new Double(Math.round(ms) / 1e3);

export function logRecord(observation: Observation, afterMs: number, thread: LoopThread, lost: number): LogRecord {
  const culprit = culpritOf(observation);
  const { stuckMs } = observation;
  const { span, expected } = culprit;
  const severity = stuckMs >= ERROR_FROM * afterMs ? 'ERROR' : 'WARN';
  return {
    timeMs: Date.now(),
    severity: expected === undefined ? severity : 'INFO',
    eventName: semconv.EVENT_STILL_BLOCKED,
    body: sentence(observation, culprit),
    attributes: {
      ...attributes(observation, culprit),
      ...threadAttributes(thread),
      [semconv.ATTR_REPORTS_LOST]: lost || undefined,
    },
    ...span,
  };
}

/** The loop's own gauge, whose callback can't run now: the same series goes on. */
export function lagGauge(stuckMs: number, thread: LoopThread): Gauge {
  return {
    name: semconv.METRIC_LAG,
    unit: 's',
    description: semconv.LAG_DESCRIPTION,
    timeMs: Date.now(),
    value: stuckMs / 1e3,
    attributes: threadAttributes(thread),
  };
}

/** One line of `key=value` pairs that a search for the event's name finds. */
export function stderrLine(observation: Observation, service: string): string {
  const { section, span, sample, expected } = culpritOf(observation);
  const { stuckMs, cause, unread } = observation;
  const fields: [string, string | number | undefined][] = [
    ['duration', `${(stuckMs / 1e3).toFixed(3)}s`],
    ['cause', cause],
    ['section', section?.name],
    ['function', sample?.functionName],
    ['at', sample?.file ? `${sample.file}:${sample.line}` : undefined],
    ['trace_id', span?.traceId],
    ['span_id', span?.spanId],
    ['unread', unread],
    ['expected', expected],
    ['pid', process.pid],
    ['service', service],
  ];
  const text = fields
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${quoted(`${value}`)}`)
    .join(' ');
  return `loopblame ${semconv.EVENT_STILL_BLOCKED} ${text}\n`;
}

const quoted = (value: string): string => (/^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));

function sentence({ stuckMs, cause }: Observation, { section, sample, expected }: Culprit): string {
  const by = section?.name ?? sample?.functionName;
  const why = expected === undefined ? '' : `, as expected (${expected})`;
  return `The event loop has been blocked for ${(stuckMs / 1e3).toFixed(1)} s${by ? ` by ${by}` : ''} (${cause})${why}`;
}

function attributes(observation: Observation, { section, sample, expected }: Culprit): Attributes {
  const { at, stuckMs, cause, evidence } = observation;
  return {
    [semconv.ATTR_STALL_DURATION]: seconds(stuckMs),
    [semconv.ATTR_STALL_CAUSE]: cause,
    [semconv.ATTR_STALL_CPU_TIME]: evidence.run === undefined ? undefined : seconds(evidence.run),
    [semconv.ATTR_STALL_QUEUE_TIME]: evidence.queue === undefined ? undefined : seconds(evidence.queue),
    [semconv.ATTR_STALL_UNREAD]: observation.unread,
    [semconv.ATTR_STALL_ACCEPT_QUEUE]: observation.acceptQueue,
    [semconv.ATTR_BLOCKED_EXPECTED]: expected,
    [semconv.ATTR_BLOCKED_SECTION]: section?.name,
    [semconv.ATTR_SECTION_PHASE]: section?.phase,
    [semconv.ATTR_SECTION_SYSTEM]: section?.system || undefined,
    [semconv.ATTR_SECTION_DURATION]: section && seconds(section.ms),
    [semconv.ATTR_SECTIONS_BEFORE]: orNone(before(observation)),
    [semconv.ATTR_CODE_FUNCTION_NAME]: sample?.functionName || undefined,
    [semconv.ATTR_CODE_FILE_PATH]: sample?.file || undefined,
    [semconv.ATTR_CODE_LINE_NUMBER]: sample?.line || undefined,
    [semconv.ATTR_CODE_STACKTRACE]: sample?.stack || undefined,
    [semconv.ATTR_SAMPLE_AGE]: sample && seconds(at - sample.at),
  };
}

const orNone = (texts: string[]): string[] | undefined => (texts.length > 0 ? texts : undefined);
