// What the metrics say: `node metrics.mjs lag | nobody | spans`.
import { busy, inSpan, sleep, timed, tracer, truth } from './lib.mjs';

const kinds = {
  /** Idle, then one block, then idle. */
  async lag() {
    await sleep(1200);
    truth({ idleUntil: Date.now() });
    const ms = timed(() => busy(180));
    truth({ ms, blockedUntil: Date.now() });
    await sleep(1200);
  },

  /** Blocks by a span that has ended, and by no span at all. */
  async nobody() {
    await sleep(300);
    let endedMs = 0;
    const endedId = await inSpan('ended', async () => {
      setTimeout(function fireAndForget() {
        endedMs = timed(() => spin(120));
      }, 30);
    });
    await sleep(250);
    let noneMs = 0;
    await new Promise((resolve) => {
      setTimeout(function background() {
        noneMs = timed(() => grind(150));
        resolve();
      }, 5);
    });
    truth({ endedId, endedMs, noneMs });
    await sleep(400);
  },

  /** So many spans, a few of which block. */
  async spans() {
    await sleep(300);
    let blocked = 0;
    for (let i = 0; i < 20; i++) {
      await inSpan('span', async () => {
        await sleep(2);
        if (i % 5 === 0) {
          busy(100);
          blocked++;
        }
      });
    }
    truth({ spans: 20, blocked });
    await sleep(500);
    tracer.startSpan('never ended');
  },
};

function spin(ms) {
  busy(ms);
}
function grind(ms) {
  busy(ms);
}

await kinds[process.argv[2]]();
