import type { Session } from 'node:inspector';
import { MAIN_THREAD, type SharedBlock, ThreadInt } from './layout.ts';

/** How the `NodeWorker` domain titles a thread: `[worker 3] its name`. */
const WORKER_TITLE = /^\[worker (\d+)\]/;

/** The session as it is used here: @types/node knows the methods' names one by one. */
interface InspectorSession extends Pick<Session, 'connectToMainThread' | 'disconnect'> {
  on<Params>(event: string, listener: (notification: { params: Params }) => void): void;
  post(method: string, params: object, done?: () => void): void;
}

/** One sample that is asked for. */
export interface SampleOrder {
  /** Node's id of the loop's thread. */
  readonly threadId: number;
  readonly expression: string;
  /** It is on its way: from now on whatever keeps it waiting is what the loop executes. */
  onPosted(): void;
  /** It was taken, or can't be. */
  onDone(): void;
}

/** Takes samples of loops, through one inspector session that is open only while a loop wants it. */
export class Sampler {
  readonly #shared: SharedBlock;
  readonly #load: (module: string) => unknown;
  #session: InspectorSession | undefined;
  /** The loops that want a session, and whether a sample of theirs is on its way. */
  readonly #users = new Map<object, boolean>();
  #workers: WorkerSessions | undefined;

  /** @param load `require` of the thread: the inspector is loaded when it is first needed */
  constructor(shared: SharedBlock, load: (module: string) => unknown) {
    this.#shared = shared;
    this.#load = load;
  }

  /** Then the thread's event loop must turn: answers come by it. */
  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  /**
   * Has an expression evaluated on top of whatever a loop executes: one at a time for each loop.
   * @returns false where the process is about to exit, and nothing was posted
   */
  post(user: object, order: SampleOrder): boolean {
    const session = this.#session ?? this.#open();
    if (!session) return false;
    this.#users.set(user, true);
    const onDone = (): void => {
      if (this.#users.has(user)) this.#users.set(user, false);
      order.onDone();
    };
    if (order.threadId !== MAIN_THREAD) {
      this.#workers ??= new WorkerSessions(session);
      this.#workers.post({ ...order, onDone });
      return true;
    }
    order.onPosted();
    session.post('Runtime.evaluate', { expression: order.expression, silent: true }, onDone);
    return true;
  }

  /** The loop wants no more samples for now. The session is closed when none wants one, and none is on its way. */
  release(user: object): void {
    if (this.#users.get(user) === false) this.forget(user);
  }

  /** The loop has ended, and answers nothing any more. */
  forget(user: object): void {
    if (this.#users.delete(user) && this.#users.size === 0) this.close();
  }

  /** An open session at the process's exit makes Node print that it waits for the debugger to disconnect. */
  close(): void {
    this.#users.clear();
    this.#session?.disconnect();
    this.#session = this.#workers = undefined;
    Atomics.store(this.#shared.int, ThreadInt.SESSION, 0);
  }

  #open(): InspectorSession | undefined {
    const { int } = this.#shared;
    // Each side first says what it does and then looks at the other: the exit handler waits, or no session is opened.
    Atomics.store(int, ThreadInt.SESSION, 1);
    if (Atomics.load(int, ThreadInt.EXIT) === 1) {
      Atomics.store(int, ThreadInt.SESSION, 0);
      return undefined;
    }
    const inspector = this.#load('node:inspector') as { Session: new () => InspectorSession };
    const session = new inspector.Session();
    session.connectToMainThread();
    this.#session = session;
    return session;
  }
}

/** Worker threads are reached through the main thread: sessions inside its session, of the `NodeWorker` domain. */
class WorkerSessions {
  readonly #session: InspectorSession;
  /** By Node's id of the thread. */
  readonly #ids = new Map<number, string>();
  /** Orders that came before all threads were known; `undefined` from then on. */
  #early: SampleOrder[] | undefined = [];
  readonly #sent = new Map<number, SampleOrder>();
  #lastId = 0;

  constructor(session: InspectorSession) {
    this.#session = session;
    session.on<{ sessionId: string; workerInfo: { title: string } }>('NodeWorker.attachedToWorker', ({ params }) => {
      const [, threadId] = WORKER_TITLE.exec(params.workerInfo.title) ?? [];
      this.#ids.set(Number(threadId), params.sessionId);
    });
    session.on<{ message: string }>('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const { id } = JSON.parse(params.message) as { id?: number };
      if (id === undefined) return;
      this.#sent.get(id)?.onDone();
      this.#sent.delete(id);
    });
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false }, () => {
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const order of early) this.post(order);
    });
  }

  post(order: SampleOrder): void {
    if (this.#early) {
      this.#early.push(order);
      return;
    }
    const sessionId = this.#ids.get(order.threadId);
    if (sessionId === undefined) {
      order.onDone();
      return;
    }
    const id = ++this.#lastId;
    this.#sent.set(id, order);
    const { expression, onPosted } = order;
    const message = JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression, silent: true } });
    // Answered when the main thread has handed it on, which it may be too busy for.
    this.#session.post('NodeWorker.sendMessageToWorker', { sessionId, message }, onPosted);
  }
}
