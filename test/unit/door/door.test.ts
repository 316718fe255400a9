import assert from 'node:assert/strict';
import { channel } from 'node:diagnostics_channel';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Span, SpanKind } from '@opentelemetry/api';
import { now } from '../../../src/clock.ts';
import { Door } from '../../../src/door/door.ts';
import { ConnectionEnds } from '../../../src/door/ends.ts';
import { addressWords, connectionKey } from '../../../src/door/keys.ts';
import { DoorFloat, DoorInt, type DoorMemory, doorMemory, END_PAIRS, UNKNOWN } from '../../../src/door/layout.ts';
import { UnreadConnections } from '../../../src/door/unread.ts';
import { SpanState } from '../../../src/spans/tracker.ts';

const THRESHOLD = 20;
const REQUEST_BYTES = 80;
const BEFORE_START = 'event_loop.stalled.before_start';
const ERROR = 'event_loop.stalled.before_start.error';

let memory: DoorMemory;
let thread: UnreadConnections;
let loop: { beat: number; sleptUntil: number };
let door: Door;

beforeEach(() => {
  memory = doorMemory();
  thread = new UnreadConnections(memory, new ConnectionEnds(memory));
  loop = { beat: 1, sleptUntil: 0 };
  door = new Door(memory, THRESHOLD, loop);
  door.start();
  openDoor();
});
afterEach(() => door.stop());

const server = createServer();

/** A connection as far as the door looks at it. */
class Peer {
  remoteAddress: string | undefined = '127.0.0.1';
  localPort = 8080;
  bytesRead = 0;
  encrypted?: boolean;
  remotePort: number;

  constructor(remotePort = 40_000) {
    this.remotePort = remotePort;
  }

  /** So many bytes of it are read from the kernel. */
  read(bytes = REQUEST_BYTES): this {
    this.bytesRead += bytes;
    return this;
  }
}

/** The thread finds the loop late. */
function openDoor(): void {
  memory.int[DoorInt.OPEN] = 1;
  memory.float[DoorFloat.LAST_LATE] = now();
}

/** The thread sees these connections unread, so long ago. */
function seeUnread(msAgo: number, peers: Peer[], { anchorMsAgo = msAgo + 30, bytes = REQUEST_BYTES } = {}): void {
  const at = now();
  thread.begin(at - msAgo, { accepted: at - anchorMsAgo, all: 0 });
  for (const peer of peers) {
    const key = connectionKey(addressWords('127.0.0.1')!, peer.remotePort, peer.localPort);
    thread.see(key, bytes, true, { from: at - msAgo - 1, by: at - msAgo });
  }
  thread.end();
}

const start = (socket: Peer): void => channel('http.server.request.start').publish({ socket, server });
const finish = (socket: Peer, complete = true): void =>
  channel('http.server.response.finish').publish({ request: { complete }, socket });

/** A span begins; gives what the door has told it, in milliseconds. */
function spanTold(kind: SpanKind = SpanKind.SERVER): { min: number; error: number | undefined } | undefined {
  const attributes: Record<string, number> = {};
  const span = {
    isRecording: () => true,
    setAttribute: (name: string, value: number) => {
      attributes[name] = value;
    },
  } as unknown as Span;
  door.onSpanStart(new SpanState(span, undefined, now(), true), kind);
  const [min, error] = [attributes[BEFORE_START], attributes[ERROR]];
  return min === undefined ? undefined : { min: min * 1e3, error: error && error * 1e3 };
}

function request(peer: Peer): ReturnType<typeof spanTold> {
  start(peer.read());
  return spanTold();
}

/** A wait of so many milliseconds, which goes on while the test runs. */
function assertWaited(told: ReturnType<typeof spanTold>, min: number, error?: number): void {
  assert.ok(told, 'it is told');
  assert.ok(told.min >= min && told.min < min + 1000, `${told.min}`);
  if (error !== undefined) assert.ok(Math.abs(told.error! - error) < 5, `${told.error}`);
}

/** The loop holds for so long, in one turn. */
function hold(ms: number): void {
  const end = now() + ms;
  while (now() < end);
}

describe('the span that is told', () => {
  test('is the first server span that begins with the request', () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    start(peer.read());
    assert.equal(spanTold(SpanKind.CLIENT), undefined);
    assertWaited(spanTold(), 2000, 30);
    assert.equal(spanTold(), undefined, 'once');
  });

  test('is none that begins later', async () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    start(peer.read());
    await null;
    await null;
    assert.equal(spanTold(), undefined);
  });

  test("is not the next request's", () => {
    const [first, second] = [new Peer(), new Peer(40_001)];
    seeUnread(2000, [first]);
    start(first.read());
    start(second.read());
    assert.equal(spanTold(), undefined);
  });

  test('is none while the door is closed, and none after it', () => {
    const [early, late] = [new Peer(), new Peer(40_001)];
    seeUnread(2000, [early, late]);
    memory.int[DoorInt.OPEN] = 0;
    assert.equal(request(early), undefined);
    openDoor();
    memory.float[DoorFloat.LAST_LATE] = now() - 2600;
    assert.equal(request(late), undefined, 'the thread has not looked for long');
  });

  test('may have come since the loop slept last', () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    loop.sleptUntil = now() - 2012;
    assertWaited(request(peer), 2000, 12);
  });

  test('may have come before that to another process, which deals out connections', () => {
    const peer = new Peer();
    memory.int[DoorInt.DEALT] = 1;
    seeUnread(2000, [peer]);
    loop.sleptUntil = now() - 2012;
    assertWaited(request(peer), 2000, 30);
    hold(5);
    seeUnread(2, [peer], { anchorMsAgo: 2 + 500 });
    loop.sleptUntil = now() - 100;
    const told = request(peer);
    assertWaited(told, 2);
    assert.ok(told!.error! < 400, 'once it has made a request it is ours');
  });

  test('is none after the door has stopped', () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    door.stop();
    assert.equal(request(peer), undefined);
    door.start();
    assert.equal(request(peer), undefined, 'what an earlier thread has left is not used');
  });
});

describe('a connection that is kept alive', () => {
  test('has waited with its next request since it was seen again', () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    assertWaited(request(peer), 2000);
    finish(peer);
    assert.equal(request(peer), undefined, 'those bytes are read');
    finish(peer);
    hold(5);
    seeUnread(2, [peer]);
    assertWaited(request(peer), 2);
  });

  test('may send as soon as it has the response, though the loop finishes it late', () => {
    const peer = new Peer();
    request(peer);
    hold(5);
    seeUnread(2, [peer]);
    finish(peer);
    assertWaited(request(peer), 2);
  });

  test('has sent the rest of a body before its next request', () => {
    const peer = new Peer();
    request(peer);
    hold(5);
    seeUnread(2, [peer]);
    peer.read(1000);
    finish(peer);
    assert.equal(request(peer), undefined);
  });

  test('sends the rest of a body that nobody wanted before its next request', () => {
    const peer = new Peer();
    request(peer);
    finish(peer, false);
    hold(5);
    seeUnread(2, [peer]);
    assert.equal(request(peer), undefined);
    finish(peer);
    hold(5);
    seeUnread(2, [peer]);
    assertWaited(request(peer), 2);
  });

  test('may have sent such a rest before the door opened, or in an earlier turn', () => {
    const peer = new Peer();
    memory.int[DoorInt.OPEN] = 0;
    request(peer);
    finish(peer, false);
    openDoor();
    hold(5);
    seeUnread(2, [peer]);
    loop.beat++;
    request(new Peer(40_001));
    hold(30);
    assert.equal(request(peer), undefined);
    // that it has been read now is known though its response is not seen
    hold(5);
    seeUnread(2, [peer]);
    assertWaited(request(peer), 2);
  });

  test('is known for itself, however many others were read since', () => {
    const peer = new Peer();
    request(peer);
    hold(5);
    seeUnread(2, [peer]);
    const key = connectionKey(addressWords('127.0.0.1')!, peer.remotePort, peer.localPort);
    const ends = new ConnectionEnds(memory);
    for (let i = 1; i <= 4; i++) ends.set(key + i * END_PAIRS, now());
    assertWaited(request(peer), 2);
  });

  test('over TLS shakes hands first: that is no wait of its first request', () => {
    const peer = new Peer();
    peer.encrypted = true;
    seeUnread(2000, [peer]);
    assert.equal(request(peer), undefined);
    hold(5);
    seeUnread(2, [peer]);
    assertWaited(request(peer), 2);
  });
});

describe('requests in one read', () => {
  test('but the first have waited since their bytes were last seen to grow', () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    seeUnread(1500, [peer], { bytes: 2 * REQUEST_BYTES });
    start(peer.read(2 * REQUEST_BYTES));
    assertWaited(spanTold(), 2000, 30);
    start(peer);
    const told = spanTold();
    assertWaited(told, 1500, 530);
    start(peer);
    assertWaited(spanTold(), 1500, 530);
  });

  test('are counted from the read before on', () => {
    const peer = new Peer();
    request(peer);
    finish(peer);
    hold(5);
    seeUnread(2, [peer], { bytes: 2 * REQUEST_BYTES });
    start(peer.read(2 * REQUEST_BYTES));
    assertWaited(spanTold(), 2);
    start(peer);
    assertWaited(spanTold(), 2);
  });

  test('are not told over TLS, which hides where one ends', () => {
    const peer = new Peer();
    peer.encrypted = true;
    request(peer);
    hold(5);
    seeUnread(2, [peer], { bytes: 2 * REQUEST_BYTES });
    start(peer.read(2 * REQUEST_BYTES));
    assertWaited(spanTold(), 2);
    start(peer);
    assert.equal(spanTold(), undefined);
  });

  test('are not told where more was read than was seen', () => {
    const peer = new Peer();
    seeUnread(2000, [peer]);
    start(peer.read(2 * REQUEST_BYTES));
    assertWaited(spanTold(), 2000);
    start(peer);
    assert.equal(spanTold(), undefined);
  });
});

describe('a later connection from the same port', () => {
  test('has not waited with an earlier one', () => {
    const [earlier, later] = [new Peer(), new Peer()];
    seeUnread(2000, [earlier]);
    assertWaited(request(earlier), 2000);
    finish(earlier);
    assert.equal(request(later), undefined);
  });

  test('has waited since it was seen itself', () => {
    const [earlier, later] = [new Peer(), new Peer()];
    seeUnread(2000, [earlier]);
    request(earlier);
    finish(earlier);
    hold(5);
    seeUnread(2, [later]);
    assertWaited(request(later), 2);
  });

  test('to another port of ours is another one', () => {
    const [here, there] = [new Peer(), new Peer()];
    there.localPort = 8081;
    seeUnread(2000, [here]);
    assert.equal(request(there), undefined);
    assertWaited(request(here), 2000);
  });
});

describe('without having been seen', () => {
  test('requests have waited since their turn began to read, if that makes a stall', () => {
    assert.equal(request(new Peer(1)), undefined);
    hold(THRESHOLD - 10);
    const short = request(new Peer(2));
    hold(20);
    assertWaited(request(new Peer(3)), THRESHOLD);
    loop.beat++;
    assert.equal(request(new Peer(4)), undefined, 'another turn');
    if (short) assertWaited(short, THRESHOLD);
  });

  test('a request may have come after the one before it on its connection', () => {
    const peer = new Peer();
    request(peer);
    hold(30);
    assert.equal(request(peer), undefined);
  });

  test('nor can it have waited where the door was closed when the one before it was read', () => {
    const peer = new Peer();
    memory.int[DoorInt.OPEN] = 0;
    request(new Peer(40_001));
    request(peer);
    hold(30);
    openDoor();
    assert.equal(request(peer), undefined);
    assertWaited(request(new Peer(40_002)), 30);
  });

  test('the loop may have asked the kernel again where a turn has very many requests', () => {
    for (let i = 1; i < 500; i++) start(new Peer(i).read());
    hold(30);
    assertWaited(request(new Peer(500)), 30);
    assert.equal(request(new Peer(501)), undefined);
  });
});

test('a connection without an address has no place in the tables', () => {
  const peer = new Peer();
  peer.remoteAddress = undefined;
  assert.equal(request(peer), undefined);
  finish(peer);
  assert.equal(request(peer), undefined);
});

test("a stall's counts are those of its turn, as far as they were taken", () => {
  const { int, float } = memory;
  float[DoorFloat.STALL_BEAT] = 1000;
  int.set([7, 3, 21], DoorInt.UNREAD);
  assert.deepEqual(door.ofStall(1000), {
    'event_loop.stall.unread': 7,
    'event_loop.stall.accept_queue': 3,
    'event_loop.stall.listen_overflows': 21,
  });
  assert.equal(door.ofStall(900), undefined);
  int.set([UNKNOWN, 3, UNKNOWN], DoorInt.UNREAD);
  assert.deepEqual(door.ofStall(1000), { 'event_loop.stall.accept_queue': 3 });
});

test('servers are known when they listen, or by their first request', async () => {
  for (const learn of ['listening', 'request']) {
    const real = createServer();
    await new Promise<void>((listening) => real.listen(0, '127.0.0.1', listening));
    if (learn === 'request') {
      door.stop();
      door = new Door(memory, THRESHOLD, loop);
      door.start();
      channel('http.server.request.start').publish({ socket: new Peer(), server: real });
    }
    assert.equal(memory.int[DoorInt.LISTENERS], 1, learn);
    await new Promise((closed) => real.close(closed));
    assert.equal(memory.int[DoorInt.LISTENERS], 0);
  }
});
