// A service that nobody asks: `node idle.mjs with|without`. Ready when it listens.
import { cpuMs, require, startSdk } from './lib.mjs';

startSdk();
const { createServer } = require('node:http');
const server = createServer((_request, response) => response.end());
server.listen(0, '127.0.0.1', () => {
  process.send({ ready: { readyMs: performance.now(), cpuMs: cpuMs() } });
  // the channel to the bench would wake it
  process.channel.unref();
});
