// What assertLoopNotBlocked says of code of a kind: `node testing.mjs KIND`.
import { execSync, spawn } from 'node:child_process';
import { allowBlocking } from 'loopblame';
import { assertLoopNotBlocked } from 'loopblame/testing';
import { burn, busy, inSpan, sleep, timed, truth } from './lib.mjs';

const remarks = [];

/** The outcome of one check, with whatever it threw as it came. */
async function check(fn, options) {
  const outcome = {};
  try {
    outcome.result = await assertLoopNotBlocked(fn, { onRemark: (remark) => remarks.push(remark), ...options });
  } catch (error) {
    outcome.thrown = error;
  }
  return outcome;
}

function tell({ result, thrown }, facts) {
  const error = thrown && { ...thrown, name: thrown.name, message: thrown.message, stack: thrown.stack };
  truth({ result, error, remarks, ...facts });
}

const kinds = {
  async synchronous() {
    tell(
      await check(function culprit() {
        burn(300);
      }),
    );
  },

  async 'after-await'() {
    tell(
      await check(async function culprit() {
        await sleep(20);
        burn(300);
        await sleep(20);
      }),
    );
  },

  async wait() {
    tell(
      await check(async function culprit() {
        await sleep(20);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        await sleep(20);
      }),
    );
  },

  async exec() {
    tell(
      await check(async function culprit() {
        await sleep(20);
        execSync('sleep 0.3');
      }),
    );
  },

  // no single call is long: those who wait, wait for all of them
  async burst() {
    tell(
      await check(async function culprit() {
        for (let i = 0; i < 60; i++) {
          await null;
          burn(5);
        }
      }),
    );
  },

  async short() {
    const result = await check(async () => {
      for (let i = 0; i < 40; i++) {
        burn(3);
        await sleep(1);
      }
      return 'its result';
    });
    // one after the other, and some at the same time
    const others = await Promise.all([1, 2, 3].map((n) => check(() => n)));
    tell(result, { others: others.map(({ result }) => result) });
  },

  async rejection() {
    const mine = new Error('my own');
    const rejected = await check(async () => {
      burn(300);
      throw mine;
    });
    const thrown = await check(() => {
      burn(300);
      throw mine;
    });
    truth({ isMine: rejected.thrown === mine && thrown.thrown === mine });
  },

  async allowed() {
    tell(await check(() => allowBlocking('warming a cache', () => burn(300))));
  },

  async gc() {
    const heap = Array.from({ length: 1_000_000 }, (_, i) => ({ i, next: { s: `${i}` } }));
    await sleep(100);
    let ms = 0;
    const outcome = await check(() => {
      ms = timed(() => {
        const end = performance.now() + 150;
        while (performance.now() < end) globalThis.gc();
      });
    });
    tell(outcome, { ms, kept: heap.length });
  },

  async suspended() {
    let last = performance.now();
    let worst = 0;
    const outcome = await check(async () => {
      spawn('sh', ['-c', `sleep 0.2; kill -STOP ${process.pid}; sleep 0.5; kill -CONT ${process.pid}`]);
      const end = performance.now() + 2000;
      while (performance.now() < end) {
        // at work when it is stopped: a loop that sleeps is not held
        busy(3);
        await new Promise(setImmediate);
        worst = Math.max(worst, performance.now() - last);
        last = performance.now();
      }
    });
    tell(outcome, { worst });
  },

  /** The test takes the CPU away meanwhile. */
  async starved() {
    let worst = 0;
    await check(() => {});
    console.log('ready');
    const alive = setInterval(() => {}, 1000);
    await new Promise((resolve) => process.once('SIGUSR2', resolve));
    clearInterval(alive);
    const outcome = await check(async () => {
      for (let i = 0; i < 25; i++) {
        worst = Math.max(
          worst,
          timed(() => burn(8)),
        );
        await sleep(1);
      }
    });
    tell(outcome, { worst });
  },

  // beside an instrumentation that is at work
  async 'in-span'() {
    let outcome;
    const spanId = await inSpan('blocks', async () => {
      outcome = await check(async function culprit() {
        await sleep(20);
        burn(300);
        await sleep(20);
      });
      await sleep(100);
    });
    tell(outcome, { spanId });
  },
};

await kinds[process.argv[2]]();
