// Blocks that are expected: `node expected.mjs allowed | startup`.
import { readFileSync } from 'node:fs';
import { allowBlocking } from 'loopblame';
import { busy, inSpan, sleep, timed, truth } from './lib.mjs';

const kinds = {
  async allowed() {
    await sleep(300);
    let ms = 0;
    let result;
    const spanId = await inSpan('allowed', async () => {
      await sleep(5);
      ms = timed(() => {
        result = allowBlocking('warm the cache', () => {
          busy(120);
          // a patched call inside is expected as well
          return readFileSync(new URL(import.meta.url), 'utf8').length;
        });
      });
      await sleep(50);
    });
    let thrown;
    const error = new Error('mine');
    try {
      allowBlocking('fails', () => {
        throw error;
      });
    } catch (caught) {
      thrown = caught === error;
    }
    let otherMs = 0;
    const otherId = await inSpan('not allowed', async () => {
      await sleep(5);
      otherMs = timed(() => busy(120));
      await sleep(50);
    });
    truth({ spanId, ms, isNumber: typeof result === 'number', thrown, otherId, otherMs });
  },
  async startup() {
    await sleep(200);
    let ms = 0;
    const spanId = await inSpan('startup', async () => {
      await sleep(5);
      ms = timed(() => busy(120));
      await sleep(50);
    });
    truth({ spanId, ms });
  },
};
await kinds[process.argv[2]]();
await sleep(400);
