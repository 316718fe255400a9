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
