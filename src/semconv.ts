/**
 * Every attribute, event and metric name of loopblame. Seconds in every duration, as OpenTelemetry's conventions have it.
 * No semantic convention covers a blocked event loop, and `nodejs.*` is OpenTelemetry's own: ours live under `event_loop.`.
 */

/** Cause of a stall. `starved` and `suspended` stand in metrics (and with victims) alone: they accuse no span. */
export type Cause = 'cpu' | 'native_wait' | 'gc' | 'starved' | 'suspended' | 'unknown';

/** What a section is: a call into native code, building a request, reading a response, or the user's callback. */
export type Phase = 'call' | 'encode' | 'decode' | 'callback';

// On the span that blocked the loop
export const ATTR_BLOCKED = 'event_loop.blocked';
export const ATTR_BLOCKED_DURATION = 'event_loop.blocked.duration';
export const ATTR_BLOCKED_MAX = 'event_loop.blocked.max';
export const ATTR_BLOCKED_COUNT = 'event_loop.blocked.count';
export const ATTR_BLOCKED_CAUSE = 'event_loop.blocked.cause';
export const ATTR_BLOCKED_SECTION = 'event_loop.blocked.section';
/** On metrics, with cause `starved`: `cpu_quota` (the cgroup was throttled) or `other_work`. */
export const ATTR_BLOCKED_STARVED_BY = 'event_loop.blocked.starved_by';
/** On metrics: why the application meant to hold the loop (`allowBlocking`'s reason, or `startup`). */
export const ATTR_BLOCKED_EXPECTED = 'event_loop.blocked.expected';
export const ATTR_BLOCKED_VICTIMS = 'event_loop.blocked.victims';
export const ATTR_BLOCKED_HARM = 'event_loop.blocked.harm';

// On a span that had to wait for others
export const ATTR_STALLED_DURATION = 'event_loop.stalled.duration';
export const ATTR_STALLED_CAUSE = 'event_loop.stalled.cause';
/** `waiting`: it went on in the turn right after the stall, so it had waited. `open`: it was in flight. */
export const ATTR_STALLED_CERTAINTY = 'event_loop.stalled.certainty';
/** What held the loop in the worst of them: the client call, else the function. Not every backend shows a link's attributes. */
export const ATTR_STALLED_BY = 'event_loop.stalled.by';
/** On a client's span that failed by a timeout whose deadline ran out inside a stall: the loop may be why, not the server. */
export const ATTR_TIMEOUT_SUSPECT = 'event_loop.timeout.suspect';
/** Beside it: the part of the span's time that was lost to stalls, 0 to 1. */
export const ATTR_TIMEOUT_STALLED_RATIO = 'event_loop.timeout.stalled_ratio';
/** On its link to the span that cost it most. */
export const ATTR_LINK_TYPE = 'event_loop.link.type';
export const LINK_STALLED_BY = 'stalled_by';

// On its local root span
export const ATTR_BLOCKED_BELOW = 'event_loop.blocked.below';

// On a server span whose request stood unread while the loop was stuck: at least so long, and how much longer at most
export const ATTR_STALLED_BEFORE_START = 'event_loop.stalled.before_start';
export const ATTR_STALLED_BEFORE_START_ERROR = 'event_loop.stalled.before_start.error';

// On a span with synchronous sections
export const ATTR_SYNC_DURATION = 'event_loop.sync.duration';
export const ATTR_SYNC_MAX = 'event_loop.sync.max';
export const ATTR_SYNC_COUNT = 'event_loop.sync.count';

// Span events
export const EVENT_SECTION = 'event_loop.section';
export const ATTR_SECTION_NAME = 'event_loop.section.name';
export const ATTR_SECTION_PHASE = 'event_loop.section.phase';
export const ATTR_SECTION_DURATION = 'event_loop.section.duration';
export const EVENT_STALL = 'event_loop.stall';
/** The same as a span, with option `stalls: 'span'`. */
export const SPAN_STALL = 'event_loop.stall';
export const ATTR_STALL_DURATION = 'event_loop.stall.duration';
export const ATTR_STALL_THRESHOLD = 'event_loop.stall.threshold';
export const ATTR_STALL_CAUSE = 'event_loop.stall.cause';
export const ATTR_STALL_CPU_TIME = 'event_loop.stall.cpu_time';
export const ATTR_STALL_QUEUE_TIME = 'event_loop.stall.queue_time';
export const ATTR_STALL_SLEEP_TIME = 'event_loop.stall.sleep_time';
export const ATTR_STALL_GC_TIME = 'event_loop.stall.gc_time';
export const ATTR_STALL_KIND = 'event_loop.stall.kind';
/** The most connections at once, on the ports that the process listens on, that had sent what nobody had read. */
export const ATTR_STALL_UNREAD = 'event_loop.stall.unread';
/** The most connections at once that nobody had accepted. */
export const ATTR_STALL_ACCEPT_QUEUE = 'event_loop.stall.accept_queue';
/** Connections that the kernel refused or dropped meanwhile, because a listener's accept queue was full. */
export const ATTR_STALL_LISTEN_OVERFLOWS = 'event_loop.stall.listen_overflows';

// The log record of a loop that is still blocked, beside `event_loop.stall.*`, `.blocked.section` and `code.*`
export const EVENT_STILL_BLOCKED = 'event_loop.still_blocked';
/** The sections that finished before it, in words, latest first. */
export const ATTR_SECTIONS_BEFORE = 'event_loop.sections.before';
/** How old the stack is: it shows what the loop does now only if that is about 0. */
export const ATTR_SAMPLE_AGE = 'event_loop.sample.age';
/** Earlier reports that could not be sent. */
export const ATTR_REPORTS_LOST = 'event_loop.reports.lost';

// Where in the code: stable semantic conventions
export const ATTR_CODE_FUNCTION_NAME = 'code.function.name';
export const ATTR_CODE_FILE_PATH = 'code.file.path';
export const ATTR_CODE_LINE_NUMBER = 'code.line.number';
export const ATTR_CODE_STACKTRACE = 'code.stacktrace';

// Whose loop it is, on marks, metrics and logs: semantic conventions
export const ATTR_THREAD_ID = 'thread.id';
export const ATTR_THREAD_NAME = 'thread.name';

// Metrics
export const METRIC_LAG = 'event_loop.lag';
export const LAG_DESCRIPTION = 'How late the event loop was at its latest since the last reading; about 0 when idle.';
export const METRIC_BLOCKED_DURATION = 'event_loop.blocked.duration';
export const METRIC_STALLED_TIME = 'event_loop.stalled.time';
export const METRIC_SPANS = 'event_loop.spans';
export const METRIC_OVERHEAD = 'event_loop.instrumentation.overhead';
export const METRIC_FORGOTTEN = 'event_loop.spans.forgotten';
/** Whose time it is: `loop` or `thread`. */
export const ATTR_OVERHEAD_PART = 'event_loop.overhead.part';

/** The system of a section's client (`kafka`, `postgresql`, `sqlite`; `nodejs` for Node's own calls), on metrics. */
export const ATTR_SECTION_SYSTEM = 'event_loop.section.system';
