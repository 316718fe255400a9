// Stalls with so many spans in flight: `node stall.mjs with|without`.
import { readFileSync } from 'node:fs';
import { context, trace } from '@opentelemetry/api';
import { answer, startSdk } from './lib.mjs';

startSdk();
const tracer = trace.getTracer('bench');
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

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

answer({
  async cpuMsPerStall({ spans, stalls }) {
    let rounds = 1e6;
    const took = () => {
      const start = performance.now();
      work(rounds);
      return performance.now() - start;
    };
    while (took() < 50) rounds *= 1.3;
    await sleep(500);
    const open = Array.from({ length: spans }, () => tracer.startSpan('in flight'));
    await sleep(500);
    const before = loopCpuMs();
    for (let i = 0; i < stalls; i++) {
      const culprit = tracer.startSpan('culprit');
      await context.with(trace.setSpan(context.active(), culprit), async () => {
        await sleep(2);
        work(rounds);
      });
      culprit.end();
      await sleep(60);
    }
    const cpu = (loopCpuMs() - before) / stalls;
    for (const span of open) span.end();
    return cpu;
  },
});
process.send({ ready: true });
