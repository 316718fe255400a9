/** The smallest limit, from which on turns are looked at: shorter ones can't be told from the kernel's ticks. */
export const WATCHED_FROM_MS = 10;

/** Options of the checks in `loopblame/testing`. */
export interface LoopCheckOptions {
  /**
   * For how long code may hold the event loop in one go, in milliseconds: 10 to 60,000. Default of
   * `assertLoopNotBlocked`: 20, from which on a span is marked as blocked; of a suite: 50, since its tests run code for the
   * first time.
   */
  maxMs?: number;
  /**
   * Is told of holds that fail no test, because the code did not make them: the machine was short of CPUs, the process was
   * stopped, or garbage was collected. Default: a line on stderr.
   */
  onRemark?: (remark: string) => void;
}

const MAX_MS = 60_000;
const OPTIONS = ['maxMs', 'onRemark'];

/** @throws {TypeError} when an option is not accepted */
export function resolveOptions(
  caller: string,
  options: LoopCheckOptions,
  defaultMaxMs: number,
): Required<LoopCheckOptions> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`${caller}: options must be an object`);
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name))
      throw new TypeError(`${caller}: ${name} is not an option (options: ${OPTIONS.join(', ')})`);
  }
  const { maxMs = defaultMaxMs, onRemark = writeRemark } = options;
  if (typeof maxMs !== 'number' || !(maxMs >= WATCHED_FROM_MS && maxMs <= MAX_MS)) {
    const given = typeof maxMs === 'number' ? maxMs : `a ${typeof maxMs}`;
    throw new TypeError(`${caller}: maxMs must be a number from ${WATCHED_FROM_MS} to 60,000, not ${given}`);
  }
  if (typeof onRemark !== 'function') throw new TypeError(`${caller}: onRemark must be a function`);
  return { maxMs, onRemark };
}

function writeRemark(remark: string): void {
  process.stderr.write(`loopblame: ${remark}\n`);
}
