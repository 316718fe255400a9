// Clients that time themselves, over raw sockets: `node door-clients.mjs '{"port":1234,"mode":"keep-alive","clients":25}'`.
// Each request carries a trace of its own, by which the test finds the span that the server made of it.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { clock, sleep, truth } from './lib.mjs';

const {
  port,
  host = '127.0.0.1',
  mode,
  clients = 1,
  seconds = 3,
  perSecond = 20,
  path = '/work',
} = JSON.parse(process.argv[2]);
const requests = [];
const end = clock() + seconds * 1e3;

/** A request's head, and its line in the truth. */
function request(path) {
  const traceId = randomBytes(16).toString('hex');
  const parent = randomBytes(8).toString('hex');
  const facts = { traceId, path, sentAt: clock(), answeredAt: 0 };
  requests.push(facts);
  return { facts, head: `GET ${path} HTTP/1.1\r\nhost: x\r\ntraceparent: 00-${traceId}-${parent}-01\r\n\r\n` };
}

/** The times at which the next answers begin. */
function answers(socket, expected) {
  return new Promise((resolve, reject) => {
    const times = [];
    let text = '';
    const onData = (chunk) => {
      text += chunk;
      const complete = text.split(/\r\n\r\n(?:2\r\n)?ok/).length - 1;
      while (times.length < complete) times.push(clock());
      if (times.length < expected) return;
      socket.off('data', onData).off('close', onClose);
      resolve(times);
    };
    const onClose = () => reject(new Error(`closed before the answer, after "${text}"`));
    socket.on('data', onData).once('close', onClose);
  });
}

const connected = (socket) => new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));

/** One request after another on one connection. */
async function keepAlive() {
  const socket = connect(port, host).setNoDelay();
  await connected(socket);
  while (clock() < end) {
    const { facts, head } = request(path);
    socket.write(head);
    [facts.answeredAt] = await answers(socket, 1);
  }
  socket.destroy();
}

/** A connection of its own for one request. */
async function once(path, localPort) {
  const socket = connect({ port, host, localPort }).setNoDelay();
  await connected(socket);
  const { facts, head } = request(path);
  socket.write(head);
  [facts.answeredAt] = await answers(socket, 1);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // its port is free at once
  socket.resetAndDestroy();
  await closed;
}

const modes = {
  'keep-alive': () => Promise.all(Array.from({ length: clients }, keepAlive)),

  reconnect: () =>
    Promise.all(
      Array.from({ length: clients }, async () => {
        while (clock() < end) await once(path);
      }),
    ),

  /** At a rate that no answer slows down: quick requests, and now and then one that holds the loop. */
  async open() {
    const all = [];
    for (let i = 0; clock() < end; i++) {
      all.push(once(i % 30 === 29 ? '/work' : '/health'));
      await sleep((0.5 + Math.random()) * (1e3 / perSecond));
    }
    await Promise.all(all);
  },

  /** Two requests on one connection while the loop is held for another one, the second long after the first. */
  async pipelining() {
    const socket = connect(port, host).setNoDelay();
    await connected(socket);
    while (clock() < end) {
      const holding = once('/work');
      await sleep(100);
      const first = request('/health?first');
      socket.write(first.head);
      await sleep(250);
      const second = request('/health?second');
      socket.write(second.head);
      [first.facts.answeredAt, second.facts.answeredAt] = await answers(socket, 2);
      await holding;
      await sleep(100);
    }
    socket.destroy();
  },

  /** While one request holds the loop, many come at once, each on a connection of its own. */
  async crowd() {
    const holding = once('/work');
    await sleep(100);
    await Promise.all(Array.from({ length: clients }, () => once('/health')));
    await holding;
  },

  /** One connection after the other, all from the same port, while others hold the loop again and again. */
  async 'same-port'() {
    const holding = keepAlive();
    let localPort = 20_000 + (process.pid % 10_000);
    while (clock() < end) {
      try {
        await once('/health', localPort);
      } catch (error) {
        if (error.code !== 'EADDRINUSE') throw error;
        localPort++;
      }
    }
    await holding;
  },

  /** Requests while nobody holds the loop. */
  async quiet() {
    while (clock() < end) {
      await once('/health');
      await sleep(10);
    }
  },
};

await modes[mode]();
truth({ requests });
