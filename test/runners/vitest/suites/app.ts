// What the suites test. The types go away when it is transformed, and with them lines and columns move.

interface Order {
  id: number;
  total: number;
}

/** Holds the loop until the process has used so much CPU time. */
export function computeTotals(ms: number): Order[] {
  const start = process.cpuUsage();
  for (;;) {
    const { user, system }: NodeJS.CpuUsage = process.cpuUsage(start);
    if (user + system >= ms * 1e3) return [{ id: 1, total: 2 }]; // the line that is sampled
  }
}
