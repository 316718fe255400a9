// Who caused a stall, and who waited: `node victims.mjs waiting | shares`.
import { busy, inSpan, sleep, timed, tracer, truth } from './lib.mjs';

const kinds = {
  /** Three requests wait for a timer that is due in mid-block, one only begins after it, one is open for long. */
  async waiting() {
    const victims = [];
    const open = tracer.startSpan('open');
    const waits = [1, 2, 3].map(async () => {
      victims.push(await inSpan('victim', () => sleep(40)));
    });
    await sleep(10);
    let ms = 0;
    const culpritId = await inSpan('culprit', async () => {
      await sleep(5);
      // asleep, so that it takes as long on a machine that is short of CPUs
      ms = timed(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150));
      await sleep(100);
    });
    // the bystander begins when the stall is over
    const bystanderId = await inSpan('bystander', () => sleep(20));
    await Promise.all(waits);
    await sleep(100);
    open.end();
    truth({ ms, culpritId, victims, bystanderId, openId: open.spanContext().spanId });
  },

  /** Two spans hold one turn, 70 to 30. */
  async shares() {
    let begin;
    const gate = new Promise((resolve) => {
      begin = resolve;
    });
    const times = {};
    const hold = (name, ms) =>
      inSpan(name, async () => {
        await gate;
        times[name] = timed(() => busy(ms));
        await sleep(50);
      });
    const both = Promise.all([hold('larger', 140), hold('smaller', 60)]);
    await sleep(20);
    setTimeout(begin, 5);
    const [largerId, smallerId] = await both;
    truth({ largerId, smallerId, ...times });
  },
};

await sleep(300);
await kinds[process.argv[2]]();
await sleep(300);
