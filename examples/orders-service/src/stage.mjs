/** What surrounds a run: checks before it, progress during it, and nothing left behind after it. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import ora from 'ora';
import { childFailure, endAll } from './children.mjs';
import { loadNativeClient } from './native-client.mjs';
import { Unable } from './unable.mjs';

/**
 * @param {(say: (step: string) => void) => Promise<string>} play does the work, saying each step as it begins; its result is
 *   printed at the end
 */
export async function stage(play) {
  const progress = createProgress();
  process.on('exit', endAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      progress.stop();
      process.exit(128 + constants.signals[signal]);
    });
  }
  try {
    checkLoopblame();
    loadNativeClient();
    await checkPort(process.env.PORT);
    const text = await Promise.race([play(progress.say), childFailure]);
    progress.done();
    console.log(`\n${text}`);
    process.exit();
  } catch (error) {
    progress.failed();
    console.error(error instanceof Unable ? error.message : error);
    process.exit(1);
  }
}

/** In a fresh clone this package is a link to sources that nobody has compiled yet. */
function checkLoopblame() {
  try {
    if (existsSync(fileURLToPath(import.meta.resolve('loopblame/register')))) return;
  } catch {
    // not even linked
  }
  throw new Unable(
    'loopblame itself is not built yet: run "npm install" in its own folder, then here, then the demo again.',
  );
}

/** Only a port that was asked for can be taken: all others are whatever is free. */
async function checkPort(port) {
  if (!port) return;
  const advice = 'choose another one (as in "PORT=8081 npm run demo"), or leave PORT out and any free one will do.';
  if (!/^\d+$/.test(port) || Number(port) > 65_535) throw new Unable(`PORT=${port} is no port: ${advice}`);
  const probe = createServer();
  await new Promise((resolve, reject) => {
    probe.once('error', (error) => {
      const why = error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${error.code})`;
      reject(new Unable(`Port ${port} ${why}: ${advice}`));
    });
    probe.listen(Number(port), '127.0.0.1', resolve);
  });
  await new Promise((resolve) => probe.close(resolve));
}

/** A line a step, with its seconds: a spinner on a terminal, plain lines elsewhere. */
function createProgress() {
  const spinner = ora({ stream: process.stderr, discardStdin: false });
  let step;
  let since;
  const elapsed = () => ((performance.now() - since) / 1000).toFixed(1);
  const timer = setInterval(() => {
    if (step) spinner.text = `${step} … ${elapsed()} s`;
  }, 100);
  timer.unref();
  const close = () => {
    if (step) spinner.succeed(`${step}, ${elapsed()} s`);
    step = undefined;
  };
  return {
    say(next) {
      close();
      step = next;
      since = performance.now();
      spinner.start(next);
    },
    done: close,
    failed() {
      if (step) spinner.fail(step);
      step = undefined;
    },
    stop() {
      step = undefined;
      spinner.stop();
    },
  };
}
