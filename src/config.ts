import type { InstrumentationConfig } from '@opentelemetry/instrumentation';
import { warnOnce } from './log.ts';

/** Options of {@link EventLoopInstrumentation}. Each has an environment variable, for production without code changes. */
export interface EventLoopInstrumentationConfig extends InstrumentationConfig {
  /**
   * How long a span must hold the event loop to be marked as blocked, in milliseconds. Default 20, range 5 to 60,000.
   * Environment: `LOOPBLAME_BLOCKED_THRESHOLD_MS`. Since 0.1.0.
   */
  blockedThresholdMs?: number;
  /**
   * The shortest synchronous section that becomes an `event_loop.section` span event, in milliseconds; shorter ones count
   * in `event_loop.sync.*` alone. Default 1, range 0 to 60,000. Environment: `LOOPBLAME_SECTION_EVENT_MIN_MS`. Since 0.1.0.
   */
  sectionEventMinMs?: number;
  /**
   * How a stall stands on the span that caused it: as an INTERNAL child span `event_loop.stall` with the stall's true start
   * and end, or as an event of that name. Jaeger draws the span as a bar with its length, puts it on the critical path
   * and finds it by its duration; of the event it shows a tick of one pixel at the stall's beginning (both looked at in
   * Jaeger 1.76, UI 2.18). A span more for each stall changes what span metrics count: who minds takes the event. Where
   * the child span would not be recorded, it is an event all the same. Default `'span'`; accepts `'event'` and `'span'`.
   * Environment: `LOOPBLAME_STALLS`. Since 0.1.0.
   */
  stalls?: 'event' | 'span';
  /**
   * For how long after the start blocks are expected, in milliseconds: they are counted with the reason `startup`, and no
   * span is marked. What runs before the loop's first turn is no block in any case. Default 0, range 0 to 600,000.
   * Environment: `LOOPBLAME_STARTUP_GRACE_MS`. Since 0.1.0.
   */
  startupGraceMs?: number;
  /**
   * Whether clients that have no official instrumentation (node-rdkafka, better-sqlite3, node:sqlite) get CLIENT,
   * PRODUCER and CONSUMER spans of ours. Default true. Environment: `LOOPBLAME_CLIENT_SPANS`. Since 0.1.0.
   */
  clientSpans?: boolean;
  /**
   * Whether a blocked loop is sampled through the inspector for the stack and the span. Without it, only patched calls
   * are named. Costs nothing while the loop is healthy. Default true. Environment: `LOOPBLAME_SAMPLING`. Since 0.1.0.
   */
  sampling?: boolean;
  /**
   * From when on the watchdog's thread itself speaks for a loop that is stuck, in milliseconds: it exports a log record
   * `event_loop.still_blocked` at this time, at twice this time and so on, and `event_loop.lag` with its true value, by
   * OTLP/HTTP as the `OTEL_EXPORTER_OTLP_*` variables say. Costs nothing before that. Default 1,000, range 100 to 600,000;
   * 0 turns it off. Environment: `LOOPBLAME_STILL_BLOCKED_AFTER_MS`. Since 0.1.0.
   */
  stillBlockedAfterMs?: number;
  /**
   * Whether the same is written to stderr, as one line `loopblame event_loop.still_blocked duration=… cause=…`: for
   * processes whose telemetry arrives nowhere. Default false. Environment: `LOOPBLAME_STDERR`. Since 0.1.0.
   */
  stderr?: boolean;
  /**
   * A file that the thread replaces every second by one line: for how many milliseconds the loop has been stuck, about 0
   * while it is healthy. For probes that run a command: `test "$(cat /tmp/loop)" -lt 5000`. It appears with the loop's first
   * turn and goes when the process exits; where it gets old, the whole process stands still: `find /tmp/loop -mmin -1`
   * prints nothing then. `{pid}` in the path becomes the process's id, for a cluster's processes. Default none.
   * Environment: `LOOPBLAME_HEARTBEAT_FILE`. Since 0.1.0.
   */
  heartbeatFile?: string;
  /**
   * The share of one CPU that samples and stalls may cost on the loop; over it samples thin out, down to none, and a
   * warning says so. Default 0.01, range 0.0001 to 1. Environment: `LOOPBLAME_OVERHEAD_BUDGET`. Since 0.1.0.
   */
  overheadBudget?: number;
  /**
   * Whether a server span tells how long its request had stood unread while the loop was stuck, and a stall how many stood
   * there. Read from `/proc/self/net` by the watchdog's thread, and only while the loop is stuck: at most a fifth of that
   * thread's time for one second, then a fortieth to a twenty-fifth. Elsewhere than on Linux only what one turn of the
   * loop shows. Default true. Environment: `LOOPBLAME_DOOR`. Since 0.1.0.
   */
  door?: boolean;
  /**
   * Whether `loopblame/register` starts an SDK in worker threads too, which inherit `--import` and `--require`. A thread
   * that has an SDK (by another register that came first, or a NodeSDK of its own with this instrumentation) has its loop
   * watched in any case; an SDK more for each thread of a pool is for the application to ask for. Read by
   * `loopblame/register` alone. Default false. Environment: `LOOPBLAME_WORKER_THREADS`. Since 0.1.0.
   */
  workerThreads?: boolean;
  /**
   * The most functions that `event_loop.blocked.duration` tells apart; later ones are counted as `_OTHER`.
   * Default 100, range 0 to 10,000. Environment: `LOOPBLAME_MAX_FUNCTIONS`. Since 0.1.0.
   */
  maxFunctions?: number;
}

/** All options, with their defaults filled in. */
export type ResolvedConfig = Required<Omit<EventLoopInstrumentationConfig, 'enabled'>>;

/** One option as the validation, the README's table and its test read it. */
export interface OptionSpec {
  readonly name: keyof ResolvedConfig;
  readonly env: string;
  readonly default: number | boolean | string;
  /** Accepted values of a choice. */
  readonly choices?: readonly string[];
  /** Accepted range of a number, both ends included. */
  readonly range?: readonly [min: number, max: number];
  /** Whether 0 is accepted as well, and turns it off. */
  readonly zeroIsOff?: boolean;
  /** A file's path; empty for none. */
  readonly isPath?: boolean;
  readonly integer?: boolean;
  readonly meaning: string;
}

/** Every option: one table for defaults, ranges, environment variables and documentation. */
export const OPTIONS: readonly OptionSpec[] = [
  {
    name: 'blockedThresholdMs',
    env: 'LOOPBLAME_BLOCKED_THRESHOLD_MS',
    default: 20,
    range: [5, 60_000],
    meaning: 'how long a span must hold the loop to be marked as blocked',
  },
  {
    name: 'sectionEventMinMs',
    env: 'LOOPBLAME_SECTION_EVENT_MIN_MS',
    default: 1,
    range: [0, 60_000],
    meaning:
      'the shortest section that becomes an `event_loop.section` event; shorter ones count in `event_loop.sync.*` alone',
  },
  {
    name: 'stalls',
    env: 'LOOPBLAME_STALLS',
    default: 'span',
    choices: ['event', 'span'],
    meaning: 'how a stall stands on its span: as a child span `event_loop.stall`, or as an event of that name',
  },
  {
    name: 'startupGraceMs',
    env: 'LOOPBLAME_STARTUP_GRACE_MS',
    default: 0,
    range: [0, 600_000],
    meaning:
      'for how long after the start blocks are expected: counted with the reason `startup`, but no span is marked',
  },
  {
    name: 'clientSpans',
    env: 'LOOPBLAME_CLIENT_SPANS',
    default: true,
    meaning: 'spans of ours for clients without an official instrumentation: node-rdkafka, better-sqlite3, node:sqlite',
  },
  {
    name: 'sampling',
    env: 'LOOPBLAME_SAMPLING',
    default: true,
    meaning: 'stack and span of a blocked loop by the inspector, only while it is blocked',
  },
  {
    name: 'stillBlockedAfterMs',
    env: 'LOOPBLAME_STILL_BLOCKED_AFTER_MS',
    default: 1000,
    range: [100, 600_000],
    zeroIsOff: true,
    meaning:
      'from when on the thread exports a log record `event_loop.still_blocked` and the true lag of a loop that is stuck',
  },
  {
    name: 'stderr',
    env: 'LOOPBLAME_STDERR',
    default: false,
    meaning: 'the same as a line on stderr',
  },
  {
    name: 'heartbeatFile',
    env: 'LOOPBLAME_HEARTBEAT_FILE',
    default: '',
    isPath: true,
    meaning: 'a file that the thread keeps up to date with how long the loop has been stuck, for probes',
  },
  {
    name: 'overheadBudget',
    env: 'LOOPBLAME_OVERHEAD_BUDGET',
    default: 0.01,
    range: [0.0001, 1],
    meaning:
      'the share of one CPU that samples and stalls may cost on the loop; over it samples thin out, down to none',
  },
  {
    name: 'door',
    env: 'LOOPBLAME_DOOR',
    default: true,
    meaning: 'how long requests stood unread while the loop was stuck, by `/proc/self/net`, only while it is stuck',
  },
  {
    name: 'workerThreads',
    env: 'LOOPBLAME_WORKER_THREADS',
    default: false,
    meaning:
      'whether `loopblame/register` starts an SDK in worker threads too; the loop of a thread that has one is watched anyway',
  },
  {
    name: 'maxFunctions',
    env: 'LOOPBLAME_MAX_FUNCTIONS',
    default: 100,
    range: [0, 10_000],
    integer: true,
    meaning: 'functions that `event_loop.blocked.duration` tells apart; later ones are `_OTHER`',
  },
];

/** Every default. */
export const DEFAULTS: Readonly<ResolvedConfig> = Object.fromEntries(
  OPTIONS.map((option) => [option.name, option.default]),
) as unknown as ResolvedConfig;

const formatted = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 6 });

/** What an option accepts, in words: for errors and the README. */
export function acceptedValues(option: OptionSpec): string {
  if (option.choices) return option.choices.map((choice) => `'${choice}'`).join(' or ');
  if (option.isPath) return 'a path';
  if (!option.range) return 'true or false';
  const [min, max] = option.range;
  const number = option.integer ? 'a whole number' : 'a number';
  return `${option.zeroIsOff ? '0 (off) or ' : ''}${number} from ${formatted(min)} to ${formatted(max)}`;
}

function isAccepted(option: OptionSpec, value: unknown): boolean {
  if (option.choices) return typeof value === 'string' && option.choices.includes(value);
  if (option.isPath) return typeof value === 'string';
  if (!option.range) return typeof value === 'boolean';
  if (option.zeroIsOff && value === 0) return true;
  const [min, max] = option.range;
  if (typeof value !== 'number' || !Number.isFinite(value)) return false;
  return value >= min && value <= max && (!option.integer || Number.isInteger(value));
}

/** An environment variable's text as a value of the option's kind; `undefined` where it is none. */
function parsed(option: OptionSpec, text: string): unknown {
  if (option.choices || option.isPath) return text;
  if (option.range) return Number(text);
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}

/** `String(value)` throws on objects without a prototype and hides what a string or `-0` is. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return `${value}`;
  return `a ${typeof value}`;
}

/**
 * The given options over the environment over the defaults.
 *
 * @throws {TypeError} when a given option is not accepted, or its name is not known: all errors in one message, each
 * with the option's name and what it accepts. A bad environment variable is logged once and its default used instead:
 * production must not fail for it.
 */
export function resolveConfig(
  given: EventLoopInstrumentationConfig = {},
  env: Readonly<Record<string, string | undefined>> = process.env,
): ResolvedConfig {
  if (typeof given !== 'object' || given === null) throw new TypeError(`loopblame: options must be an object`);
  const errors: string[] = [];
  const resolved: Record<string, unknown> = { ...DEFAULTS };
  const known = new Set<string>(['enabled', ...OPTIONS.map((option) => option.name)]);
  for (const name of Object.keys(given)) {
    if (!known.has(name)) errors.push(`${name} is not an option (options: ${[...known].join(', ')})`);
  }
  if (given.enabled !== undefined && typeof given.enabled !== 'boolean') {
    errors.push(`enabled must be true or false, not ${shown(given.enabled)}`);
  }
  for (const option of OPTIONS) {
    const value = given[option.name];
    const text = env[option.env]?.trim();
    if (value !== undefined) {
      if (isAccepted(option, value)) resolved[option.name] = value;
      else errors.push(`${option.name} must be ${acceptedValues(option)}, not ${shown(value)}`);
    } else if (text) {
      const fromEnv = parsed(option, text);
      if (isAccepted(option, fromEnv)) resolved[option.name] = fromEnv;
      else {
        warnOnce(
          option.env,
          `${option.env} must be ${acceptedValues(option)}, not ${shown(text)}: using ${option.default}`,
        );
      }
    }
  }
  if (errors.length > 0) throw new TypeError(`loopblame: bad options:\n${errors.map((e) => `  - ${e}`).join('\n')}`);
  return resolved as unknown as ResolvedConfig;
}
