/**
 * One block for as long as the test wants: `node still-blocked.mjs native | door | busy | hang | ticks | short | idle FILE`. FILE is
 * a fifo for `native` and `door`; `busy` and `ticks` go on until it appears. Prints whose the block is before it begins, and its length after it.
 */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { busy, inSpan, sleep, timed, truth } from './lib.mjs';

const [kind, file] = process.argv.slice(2);
const cell = new Int32Array(new SharedArrayBuffer(4));

const blocks = {
  /** Asleep in one native call, which takes no interrupt. */
  native: () => readFileSync(file),
  door: () => readFileSync(file),
  /** JavaScript alone. */
  busy: spinUntilReleased,
  /** For ever. */
  hang: function waitForEver() {
    Atomics.wait(cell, 0, 0);
  },
};

function spinUntilReleased() {
  while (!existsSync(file)) spin(5);
}
function spin(ms) {
  busy(ms);
}

/** A server, so that requests can stand at its door. */
async function listen() {
  const server = createServer((socket) => {
    console.log('accepted');
    socket.unref();
  });
  server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
  await once(server, 'connection');
  server.unref();
  await sleep(5);
}

async function block() {
  await inSpan('culprit', async (span) => {
    await sleep(5);
    // what came just before
    readdirSync('.');
    truth({ ...span.spanContext(), startedAt: Date.now() });
    truth({ ms: timed(blocks[kind]) });
    console.log('over');
  });
}

/** Well, with much to do. */
async function ticks() {
  while (!existsSync(file)) {
    busy(5);
    await sleep(1);
  }
}

/** Nothing to do, for so many milliseconds as it says instead of FILE. */
const idle = () => sleep(Number(file));

/** Longer than the threshold, shorter than the limit. */
async function short() {
  for (let i = 0; i < 3; i++) {
    await sleep(5);
    truth({ ms: timed(() => busy(60)) });
  }
}

await sleep(400);
console.log('ready');
if (kind === 'ticks') await ticks();
else if (kind === 'short') await short();
else if (kind === 'idle') await idle();
else {
  if (kind === 'door') await listen();
  await block();
}
await sleep(500);
