import type { Hold, Request } from './requests.ts';
import type { Timeline } from './timeline.ts';

/** A request, or a hold of nobody's, as the loop gets to it: it waits, then holds the loop, as often as it does. */
interface Visit {
  readonly request: Request | undefined;
  readonly atMs: number;
  readonly steps: readonly { readonly waitMs: number; readonly holdMs: number; readonly key: string }[];
}

/** Where a visit is, and when the loop may go on with it. */
interface Task {
  readonly visit: Visit;
  readonly step: number;
  readonly readyMs: number;
}

/**
 * The requests of one loop, to be run again with some of their holds. Where one culprit of several goes, what is left gets
 * shorter than by its part: who is not held up by it is not there any more to hold up the next.
 */
export class Replay {
  readonly #visits: readonly Visit[];

  constructor(requests: readonly Request[], holds: readonly Hold[], held: Timeline) {
    const ofRequests = requests.map((request) => visitOf(request, held));
    const ofNobody = holds
      .filter(({ request, fromMs }) => request === undefined || fromMs >= request.endMs)
      .map(({ fromMs, toMs, key }) => ({
        request: undefined,
        atMs: fromMs,
        steps: [{ waitMs: 0, holdMs: toMs - fromMs, key }],
      }));
    this.#visits = [...ofRequests, ...ofNobody];
  }

  /**
   * What each request loses to others, in milliseconds, if the loop does what is ready in the order in which it got ready.
   *
   * @param without whose holds do not hold the loop
   * @param isAwaited whether they take as long all the same
   */
  losses(without: string | undefined, isAwaited: boolean): Map<Request, number> {
    const tasks = new Heap();
    for (const visit of this.#visits) tasks.push({ visit, step: -1, readyMs: visit.atMs });
    const losses = new Map<Request, number>();
    let nowMs = Number.NEGATIVE_INFINITY;
    for (let task = tasks.pop(); task; task = tasks.pop()) {
      const { visit, step, readyMs } = task;
      nowMs = Math.max(nowMs, readyMs);
      const { request, steps } = visit;
      if (request) losses.set(request, (losses.get(request) ?? 0) + nowMs - readyMs);
      const current = steps[step];
      const callMs = current?.holdMs ?? 0;
      const isGone = current?.key === without;
      if (!isGone) nowMs += callMs;
      const next = steps[step + 1];
      if (next) {
        const awaitMs = next.waitMs + (isGone && isAwaited ? callMs : 0);
        tasks.push({ visit, step: step + 1, readyMs: nowMs + awaitMs });
      }
    }
    return losses;
  }
}

/** Its waits are what lies between its holds, without what others held of it. */
function visitOf(request: Request, held: Timeline): Visit {
  const { startMs, endMs, doorMs = 0 } = request;
  const steps: { waitMs: number; holdMs: number; key: string }[] = [];
  let atMs = startMs;
  const waitUntil = (untilMs: number): number => Math.max(0, untilMs - atMs - held.within(atMs, untilMs));
  for (const { fromMs, toMs, key } of request.holds) {
    if (fromMs < atMs || fromMs >= endMs) continue;
    steps.push({ waitMs: waitUntil(fromMs), holdMs: toMs - fromMs, key });
    atMs = toMs;
  }
  steps.push({ waitMs: waitUntil(endMs), holdMs: 0, key: '' });
  return { request, atMs: startMs - doorMs, steps };
}

/** The first task that is ready comes first. */
class Heap {
  readonly #tasks: Task[] = [];

  push(task: Task): void {
    const tasks = this.#tasks;
    let at = tasks.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (tasks[above]!.readyMs <= task.readyMs) break;
      tasks[at] = tasks[above]!;
      at = above;
    }
    tasks[at] = task;
  }

  pop(): Task | undefined {
    const tasks = this.#tasks;
    const first = tasks[0];
    const last = tasks.pop();
    if (last === undefined || last === first) return first;
    let at = 0;
    for (let below = 1; below < tasks.length; below = 2 * at + 1) {
      if (below + 1 < tasks.length && tasks[below + 1]!.readyMs < tasks[below]!.readyMs) below++;
      if (tasks[below]!.readyMs >= last.readyMs) break;
      tasks[at] = tasks[below]!;
      at = below;
    }
    tasks[at] = last;
    return first;
  }
}
