import type { Span } from '@opentelemetry/api';
import { SpanStatusCode } from '@opentelemetry/api';
import type { Call } from '../define.ts';
import { placeAttributes, type TopicPlace } from './attributes.ts';

/** Messages on their way, of one producer. Of more, the span ends when it is produced, and its report is nobody's. */
const MAX_PENDING = 10_000;

interface Sent {
  /** `undefined` where several messages on their way have one opaque. */
  owner: Span | undefined;
  /** A span of ours, which ends with the report. */
  readonly isOurs: boolean;
  messages: number;
}

interface Report extends TopicPlace {
  readonly opaque?: unknown;
}

/**
 * Which span produced the message that a delivery report is about. A report names its message by `opaque` alone, the
 * value that `produce` was given for it: the application's own, or HighLevelProducer's. Without one, or where two
 * messages on their way share one, nobody can tell.
 */
export class Deliveries {
  readonly #pending = new WeakMap<object, Map<unknown, Sent>>();

  /** Keeps who has produced a message until it is delivered. True: ends the span then. */
  keep({ self, args }: Call, owner: Span | undefined, isOurs: boolean): boolean {
    const opaque: unknown = args[5];
    if (!owner || opaque === undefined || opaque === null) return false;
    // Without `dr_cb` or `dr_msg_cb` no report will come.
    if (!self._cb_configs?.event?.delivery_cb) return false;
    let pending = this.#pending.get(self);
    if (!pending) {
      pending = new Map();
      this.#pending.set(self, pending);
    }
    const other = pending.get(opaque);
    if (other) {
      other.messages++;
      if (other.isOurs) other.owner?.end();
      other.owner = undefined;
      return false;
    }
    if (pending.size >= MAX_PENDING) return false;
    pending.set(opaque, { owner, isOurs, messages: 1 });
    return isOurs;
  }

  ownerOf({ self, args }: Call): Span | undefined {
    return this.#pending.get(self)?.get((args[1] as Report | undefined)?.opaque)?.owner;
  }

  /** The report `(error, report)` has been told to everybody. */
  delivered({ self, args }: Call): void {
    const [error, report] = args as [Error & { code?: unknown }, Report | undefined];
    const pending = this.#pending.get(self);
    const sent = pending?.get(report?.opaque);
    if (!pending || !sent) return;
    if (--sent.messages === 0) pending.delete(report?.opaque);
    const { owner, isOurs } = sent;
    if (!owner || !isOurs) return;
    owner.setAttributes(placeAttributes(report));
    if (error) {
      owner.setAttribute('error.type', String(error.code ?? error.name));
      owner.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    }
    owner.end();
  }

  /** The producer is gone: what has not been reported by now never will be. */
  endAll(producer: object): void {
    const pending = this.#pending.get(producer);
    this.#pending.delete(producer);
    for (const { owner, isOurs } of pending?.values() ?? []) if (isOurs) owner?.end();
  }
}
