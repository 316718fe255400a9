import { writeSync } from 'node:fs';
import type { LoopThread } from '../loop-thread.ts';
import { StampReader, type Stamps } from '../sections/stamp-reader.ts';
import type { SectionName } from '../sections/stamps.ts';
import type { Cause } from '../semconv.ts';
import { type StallEvidence, verdict } from '../watchdog/verdict.ts';
import { Exporter, type LoadHttp } from './exporter.ts';
import type { Observation } from './observation.ts';
import { type Attributes, logsRequest, metricsRequest } from './otlp.ts';
import { lagGauge, logRecord, stderrLine } from './report.ts';
import type { ExportSettings } from './settings.ts';

/** What the loop hands to the thread at its start. */
export interface ReporterData {
  readonly stamps: SharedArrayBuffer;
  readonly afterMs: number;
  readonly stderr: boolean;
  readonly exports: ExportSettings;
  /** Until the SDK's own is known. */
  readonly resource: Attributes;
  readonly version: string;
  readonly thread: LoopThread;
  /** Blocks until then are expected: the application starts. On the monotonic clock. */
  readonly startsUntil: number;
}

/** What the loop tells the thread later; read when there is something to report, for a blocked loop has sent it before. */
export interface ReporterMessage {
  /** Sections by their number in the stamps, from the first one's on. */
  readonly names?: { readonly first: number; readonly list: readonly SectionName[] };
  readonly resource?: Attributes;
  /** Whether the application exports metrics. */
  readonly metrics?: boolean;
}

/** What the thread tells the loop, to be logged there. */
export interface ReporterTrouble {
  readonly level: 'info' | 'warn';
  readonly kind: string;
  readonly message: string;
}

/** What is known of the stall at one look. */
export interface StuckLoop {
  readonly at: number;
  readonly stuckMs: number;
  /** When the stall began, or a little later. */
  readonly since: number;
  readonly evidence: StallEvidence;
  /** Whether the loop answered the last sample that was asked for, or may still do so in time. */
  readonly isSampled: boolean;
  readonly isDebugged: boolean;
  readonly unread?: number | undefined;
  readonly acceptQueue?: number | undefined;
}

/** How a reporter reaches what is around it. */
export interface ReporterWays {
  /** `require` of the thread. */
  readonly load: (module: string) => unknown;
  readonly trouble: (told: ReporterTrouble) => void;
  /** Has the messages of loops heard that are on their way. */
  readonly drain: () => void;
}

/** Speaks for a loop that can't: from the thread, past a limit, at doubling intervals, for as long as it is stuck. */
export class Reporter {
  readonly exporter: Exporter;
  readonly #data: ReporterData;
  readonly #ways: ReporterWays;
  readonly #stamps: StampReader;
  readonly #names: SectionName[] = [];
  #resource: Attributes;
  #hasMetrics = false;
  #hasFailed = false;
  #reportAtMs: number;
  #lagAtMs: number;

  constructor(data: ReporterData, ways: ReporterWays) {
    this.#data = data;
    this.#ways = ways;
    this.#stamps = new StampReader(data.stamps);
    this.#resource = data.resource;
    this.#reportAtMs = this.#lagAtMs = data.afterMs;
    this.exporter = new Exporter(ways.load as LoadHttp, (error, url) => this.#onFailure(error, url));
  }

  /** The loop goes on. */
  reset(): void {
    this.#reportAtMs = this.#lagAtMs = this.#data.afterMs;
  }

  /** Whether a loop that has been stuck for so long is to be reported now. */
  isDue(stuckMs: number): boolean {
    return stuckMs >= Math.min(this.#reportAtMs, this.#lagAtMs);
  }

  /** In how many milliseconds it is. */
  dueIn(stuckMs: number): number {
    return Math.max(0, Math.min(this.#reportAtMs, this.#lagAtMs) - stuckMs);
  }

  hear({ names, resource, metrics }: ReporterMessage): void {
    if (names) this.#names.splice(names.first, names.list.length, ...names.list);
    if (resource) this.#resource = resource;
    if (metrics !== undefined) this.#hasMetrics = metrics;
  }

  report(stuck: StuckLoop): void {
    this.#ways.drain();
    const { stuckMs } = stuck;
    if (stuckMs >= this.#reportAtMs) {
      while (stuckMs >= this.#reportAtMs) this.#reportAtMs *= 2;
      this.#sayBlocked(stuck);
    }
    this.#lagAtMs = stuckMs + this.#data.exports.metricIntervalMs;
    this.#sendLag(stuckMs);
  }

  #sayBlocked(stuck: StuckLoop): void {
    const { afterMs, stderr, exports, thread } = this.#data;
    const observation = this.#observe(stuck);
    if (stderr) this.#print(stderrLine(observation, String(this.#resource['service.name'] ?? '')));
    if (!exports.logs) return;
    const record = logRecord(observation, afterMs, thread, this.exporter.lost);
    this.exporter.send(exports.logs, logsRequest(this.#origin(), record));
  }

  #sendLag(stuckMs: number): void {
    const { metrics } = this.#data.exports;
    if (metrics && this.#hasMetrics)
      this.exporter.send(metrics, metricsRequest(this.#origin(), lagGauge(stuckMs, this.#data.thread)));
  }

  #observe(stuck: StuckLoop): Observation {
    const { evidence, since, isSampled, isDebugged, ...rest } = stuck;
    const cause = verdict(evidence);
    const stamps = this.#stamps.read();
    const sample = this.#stamps.sample();
    const isOfThisStall = sample !== undefined && sample.at >= since;
    return {
      ...rest,
      evidence,
      cause,
      stamps,
      sectionName: (number) => this.#names[number],
      sample: isOfThisStall ? sample : undefined,
      isSampleCurrent: isOfThisStall && isSampled,
      expected:
        since < this.#data.startsUntil
          ? 'startup'
          : isDebugged && this.#isAPause(cause, stamps)
            ? 'debugger'
            : undefined,
    };
  }

  /** A debugger's pause looks like a wait in the midst of JavaScript. */
  #isAPause(cause: Cause, { open }: Stamps): boolean {
    const isWaiting = cause === 'native_wait' || cause === 'unknown';
    return isWaiting && open.every(({ section }) => this.#names[section]?.phase === 'callback');
  }

  #origin() {
    return { resource: this.#resource, scope: { name: 'loopblame', version: this.#data.version } };
  }

  /** `process.stderr` of a worker is written by the main thread, which is blocked. */
  #print(line: string): void {
    try {
      writeSync(2, line);
    } catch {
      // closed, or a full pipe that does not block
    }
  }

  /** Said once: a collector that is away is no news at each report. */
  #onFailure(error: Error, url: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const reason = (error as NodeJS.ErrnoException).code ?? error.message;
    const message = `that the loop was blocked could not be reported to ${url} while it was: ${reason}`;
    this.#ways.trouble({ level: 'info', kind: 'still-blocked', message });
  }
}
