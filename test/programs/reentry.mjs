// Holds the loop in what must not be entered anew by whoever interrupts it for a sample. In code that is not optimised,
// an interrupt is taken at each function's beginning.
import { statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { inSpan, sleep, truth } from './lib.mjs';

setFlagsFromString('--no-opt');
setFlagsFromString('--no-sparkplug');

const kinds = {
  url() {
    const { port, pathname } = new URL('postgres://user@host.example:12345/database');
    return port === '12345' && pathname === '/database';
  },
  stat() {
    return statSync(process.execPath).size === size;
  },
  hrtime() {
    const [seconds] = process.hrtime(started);
    return seconds >= 0 && seconds < 60;
  },
  regexp() {
    /(12)3(45)/.test('012345');
    return last() === '12 45';
  },
};
const started = process.hrtime();
const { size } = statSync(process.execPath);
const last = () => `${RegExp.$1} ${RegExp.$2}`;

await sleep(300);
for (const [kind, isRight] of Object.entries(kinds)) {
  let [count, wrong] = [0, 0];
  for (let i = 0; i < 8; i++) {
    await inSpan(kind, () => {
      const end = performance.now() + 150;
      while (performance.now() < end) {
        count++;
        if (!isRight()) wrong++;
      }
    });
    await sleep(5);
  }
  truth({ kind, count, wrong });
}
