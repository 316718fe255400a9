// Stalls with so many spans in flight: `node stall.mjs with|without`.
import { readFileSync } from 'node:fs';
import { context, trace } from '@opentelemetry/api';
import { answer, startSdk } from './lib.mjs';

startSdk();
const tracer = trace.getTracer('bench');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of some 5 ms each. */
const PARTS = 10;
/** Not counted: compiled by then. */
const WARM_UP = 10;

/** CPU time of this thread alone: the loop's. */
function loopCpuMs() {
  return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]) / 1e6;
}

/** As much work each time, so that the time it takes is the machine's. */
function work(rounds) {
  let x = 1;
  for (let i = 0; i < rounds; i++) x = (x * 48271) % 2147483647;
  return x;
}

/** A culprit, with the work in so many parts, between which the loop turns. */
async function request(rounds, parts) {
  const culprit = tracer.startSpan('culprit');
  await context.with(trace.setSpan(context.active(), culprit), async () => {
    await sleep(2);
    for (let i = 0; i < parts; i++) {
      if (i > 0) await new Promise((resolve) => setImmediate(resolve));
      work(rounds / parts);
    }
  });
  culprit.end();
  await sleep(60);
}

answer({
  /** What a stall costs beyond the same work in parts that are none. The two take turns: the machine's pace changes. */
  async extraMsPerStall({ spans, stalls }) {
    let rounds = 1e6;
    const took = () => {
      const start = performance.now();
      work(rounds);
      return performance.now() - start;
    };
    while (took() < 50) rounds = Math.round(rounds * 1.1);
    await sleep(500);
    const open = Array.from({ length: spans }, () => tracer.startSpan('in flight'));
    await sleep(500);
    const cpuOf = async (parts) => {
      const before = loopCpuMs();
      await request(rounds, parts);
      return loopCpuMs() - before;
    };
    let extra = 0;
    for (let i = -WARM_UP; i < stalls; i++) {
      const chunked = await cpuOf(PARTS);
      const stalled = await cpuOf(1);
      if (i >= 0) extra += stalled - chunked;
    }
    for (const span of open) span.end();
    return extra / stalls;
  },
});
process.send({ ready: true });
