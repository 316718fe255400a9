/**
 * Tries anew, up to `times`: for assertions on what a loop did with CPU time that it may not have been given. A machine
 * that is short of CPUs at one moment is not at the next; code that is wrong is wrong each time.
 */
export async function retry<T>(times: number, attempt: () => Promise<T>): Promise<T> {
  for (let left = times - 1; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/** As `retry`, for many things that one attempt shows: each must be found to be right in one of them. */
export async function retryEach<T, F>(
  times: number,
  things: readonly T[],
  attempt: () => Promise<F>,
  check: (thing: T, found: F) => void,
): Promise<void> {
  let left = [...things];
  await retry(times, async () => {
    const found = await attempt();
    let failure: unknown;
    left = left.filter((thing) => {
      try {
        check(thing, found);
        return false;
      } catch (error) {
        failure ??= error;
        return true;
      }
    });
    if (left.length > 0) throw failure;
  });
}
