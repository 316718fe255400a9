import * as threads from 'node:worker_threads';
import { ATTR_THREAD_ID, ATTR_THREAD_NAME } from './semconv.ts';

/** The thread of a loop, by which a process's telemetry tells its loops apart. */
export interface LoopThread {
  /** Node's id of the thread: 0 is the main one. */
  readonly id: number;
  readonly name: string;
}

/** Node's own name of a worker that was given none. */
const UNNAMED = 'WorkerThread';

function nameOfThread(): string {
  if (threads.isMainThread) return 'main';
  // Node 22.20 and 24.6 have it, older ones don't tell a thread its name
  const { threadName } = threads as { threadName?: string };
  return threadName && threadName !== UNNAMED ? threadName : `worker ${threads.threadId}`;
}

/** The calling thread. */
export const loopThread: LoopThread = { id: threads.threadId, name: nameOfThread() };

export function threadAttributes({ id, name }: LoopThread): Record<string, string | number> {
  return { [ATTR_THREAD_ID]: id, [ATTR_THREAD_NAME]: name };
}

/** The calling thread's. */
export const ownThreadAttributes = threadAttributes(loopThread);
