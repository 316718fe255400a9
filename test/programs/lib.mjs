// What the programs share: spans, busy work, and the truth that each measures itself.
import { trace } from '@opentelemetry/api';

export const tracer = trace.getTracer('program');
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds on the monotonic clock, the same in all processes. */
export function clock() {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1e3 + nanos / 1e6;
}

/** Holds the loop in JavaScript. */
export function busy(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Holds the loop until the process has used so much CPU time: it is as much work on a machine that does other things. */
export function burn(ms) {
  const start = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(start);
    if (user + system >= ms * 1e3) return;
  }
}

/** Runs `fn` in a span of that name; gives the span's id. */
export async function inSpan(name, fn, options = {}) {
  return tracer.startActiveSpan(name, options, async (span) => {
    try {
      await fn(span);
    } finally {
      span.end();
    }
    return span.spanContext().spanId;
  });
}

/** How long `fn` took, by the program's own clock. */
export function timed(fn) {
  const start = performance.now();
  fn();
  return performance.now() - start;
}

/** Tells the test what really happened. */
export function truth(facts) {
  console.log(`TRUTH ${JSON.stringify(facts)}`);
}
