import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { now } from '../../../src/clock.ts';
import { addressWords, connectionKey } from '../../../src/door/keys.ts';
import { DoorFloat, DoorInt, type DoorMemory, doorMemory, IPV6_LISTENER, UNKNOWN } from '../../../src/door/layout.ts';
import { DoorReader, type LateLoop } from '../../../src/door/reader.ts';
import { findUnread } from '../../../src/door/unread.ts';

const THRESHOLD = 20;
const PORT = 8080;

let folder: string;
let memory: DoorMemory;
let reader: DoorReader;
let segments = 5000;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'door-'));
  memory = doorMemory();
  reader = new DoorReader(memory, THRESHOLD, folder);
  listenOn(PORT);
  writeTable('tcp', [listener(PORT, 0)]);
  writeNetstat(100);
  writeSegments(segments);
});
afterEach(() => {
  reader.close();
  rmSync(folder, { recursive: true });
});

function listenOn(...listeners: number[]): void {
  memory.listeners.set(listeners);
  memory.int[DoorInt.LISTENERS] = listeners.length;
}

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
const row = (local: string, peer: string, state: string, rx: number, inode: number): string =>
  `   0: ${local} ${peer} ${state} 00000000:${hex(rx, 8)} 00:00000000 00000000     0        0 ${inode} 1 00 20 0 0 10 -1\n`;
const listener = (port: number, queue: number): string =>
  row(`00000000:${hex(port, 4)}`, '00000000:0000', '0A', queue, 77);
const client = (peerPort: number, rx: number, port = PORT): string =>
  row(`0100007F:${hex(port, 4)}`, `0100007F:${hex(peerPort, 4)}`, '01', rx, 78);
const keyOf = (peerPort: number): number => connectionKey(addressWords('127.0.0.1')!, peerPort, PORT);

function writeTable(name: 'tcp' | 'tcp6', rows: string[]): void {
  writeFileSync(join(folder, name), `  sl  local_address rem_address   st\n${rows.join('')}`);
}

function writeNetstat(overflows: number): void {
  writeFileSync(join(folder, 'netstat'), `TcpExt: ListenOverflows ListenDrops\nTcpExt: ${overflows} 7\n`);
}

function writeSegments(count: number): void {
  writeFileSync(join(folder, 'snmp'), `Ip: Forwarding\nIp: 2\nTcp: ActiveOpens InSegs OutSegs\nTcp: 1 ${count} 3\n`);
}

/** A look at a loop that is stuck. */
function look(loop: Partial<LateLoop> = {}, at = now()): number {
  return reader.late(at, { beat: 1, lastRead: { accepted: 0, all: 0 }, stuckMs: THRESHOLD, isAsleep: true, ...loop });
}

/** Looks until a reading is whole; gives how many it took. */
function lookUntilRead(loop: Partial<LateLoop> = {}): number {
  writeSegments(++segments);
  const before = memory.int[DoorInt.READINGS]!;
  // whenever the next one may begin, and with a glance before it
  const at = now() + 10_000;
  for (let looks = 1; ; looks++) {
    assert.ok(looks < 10_000, 'no reading is begun');
    look(loop, at + looks * 20);
    if (memory.int[DoorInt.READINGS] !== before) return looks;
  }
}

const counts = (): number[] =>
  [DoorInt.UNREAD, DoorInt.ACCEPT_QUEUE, DoorInt.LISTEN_OVERFLOWS].map((i) => memory.int[i]!);

describe('a look at the door', () => {
  test('is not taken before the loop has been stuck for the threshold', () => {
    assert.equal(look({ stuckMs: 12 }), 8);
    assert.equal(memory.int[DoorInt.OPEN], 0);
    assert.equal(memory.float[DoorFloat.READING_MS], 0);
    look();
    assert.equal(memory.int[DoorInt.OPEN], 1);
    assert.ok(memory.float[DoorFloat.READING_MS]! > 0);
  });

  test('counts who stands there and dates them', () => {
    writeTable('tcp', [
      listener(PORT, 3),
      listener(81, 50),
      client(40_000, 9),
      client(40_001, 0),
      client(40_002, 8, 81),
    ]);
    const before = now();
    lookUntilRead();
    assert.deepEqual(counts(), [1, 3, 0]);
    const { seenFrom, seenBy } = findUnread(memory, keyOf(40_000))!;
    assert.ok(before <= seenFrom && seenFrom <= seenBy && seenBy <= now());
    assert.equal(findUnread(memory, keyOf(40_001)), undefined);
  });

  test('is short between two whole readings', () => {
    const at = now();
    lookUntilRead();
    const first = memory.int[DoorInt.READINGS];
    assert.ok(look({}, at) > 0);
    assert.equal(memory.int[DoorInt.READINGS], first);
  });

  test('does not take the word of a loop that another process deals connections to', () => {
    writeTable('tcp', [listener(PORT, 0), client(40_000, 9)]);
    const lastRead = { accepted: 900, all: 900 };
    lookUntilRead({ lastRead });
    assert.equal(findUnread(memory, keyOf(40_000))?.anchor, 900);
    memory.int[DoorInt.DEALT] = 1;
    reader.rest(memory.float[DoorFloat.LAST_LATE]! + 2000);
    lookUntilRead({ lastRead });
    assert.equal(findUnread(memory, keyOf(40_000))?.anchor, 0);
  });

  test('keeps the most of a stall, and begins anew with the next', () => {
    writeTable('tcp', [listener(PORT, 5), client(40_000, 9), client(40_001, 9)]);
    lookUntilRead();
    writeTable('tcp', [listener(PORT, 1), client(40_000, 9)]);
    lookUntilRead();
    assert.deepEqual(counts(), [2, 5, 0]);
    assert.equal(memory.float[DoorFloat.STALL_BEAT], 1);
    lookUntilRead({ beat: 2 });
    assert.deepEqual(counts(), [1, 1, 0]);
    assert.equal(memory.float[DoorFloat.STALL_BEAT], 2);
  });

  test('reads the tables of the families that are listened on, and no others', () => {
    const six = (port: number, peer: string): string => row(`${'0'.repeat(32)}:${hex(port, 4)}`, peer, '01', 9, 78);
    writeTable('tcp', [listener(PORT, 0), client(40_000, 9)]);
    writeTable('tcp6', [six(PORT, `${'0'.repeat(24)}01000000:9C40`), six(81, `${'0'.repeat(24)}01000000:9C41`)]);
    lookUntilRead();
    assert.equal(counts()[0], 1, 'one of IPv4');
    listenOn(PORT, 81 + IPV6_LISTENER);
    lookUntilRead({ beat: 2 });
    assert.equal(counts()[0], 2, 'and one of IPv6, at its port');
    rmSync(join(folder, 'tcp'));
    listenOn(81 + IPV6_LISTENER);
    reader.close();
    lookUntilRead({ beat: 3 });
    assert.equal(counts()[0], 1);
  });

  test('is taken in steps where the table is long, and sees all of it', () => {
    const clients = Array.from({ length: 30_000 }, (_, i) => client(1024 + i, 1));
    writeTable('tcp', [listener(PORT, 0), ...clients]);
    const first = look();
    assert.ok(first < 5, 'more is to do soon');
    assert.equal(memory.int[DoorInt.READINGS], 0);
    assert.equal(counts()[0], UNKNOWN);
    assert.ok(lookUntilRead() > 1);
    assert.equal(counts()[0], 30_000);
  });

  test('of one stall is ended in the next one, if that comes soon', () => {
    const rows = [listener(PORT, 0), client(1, 1), ...Array.from({ length: 30_000 }, (_, i) => client(1024 + i, 0))];
    for (const [restedMs, isEnded] of [
      [100, true],
      [101, false],
    ] as const) {
      writeTable('tcp', rows);
      look({ beat: restedMs }, now() + 10_000);
      const between = now();
      reader.rest(memory.float[DoorFloat.LAST_LATE]! + restedMs);
      lookUntilRead({ beat: restedMs + 0.5 });
      assert.equal(findUnread(memory, keyOf(1))!.seenBy < between, isEnded);
      writeTable('tcp', [listener(PORT, 0)]);
      lookUntilRead();
    }
  });

  test('without tables, leaves what a turn of the loop shows', () => {
    rmSync(join(folder, 'tcp'));
    assert.equal(look(), Number.POSITIVE_INFINITY);
    assert.equal(memory.int[DoorInt.OPEN], 1);
    assert.deepEqual(counts(), [UNKNOWN, UNKNOWN, UNKNOWN]);
  });

  test('reads nothing where nobody listens', () => {
    listenOn();
    assert.equal(look(), Number.POSITIVE_INFINITY);
    assert.equal(memory.float[DoorFloat.READING_MS], 0);
  });
});

describe('where nothing has come', () => {
  test('no table is read, and nobody has come either', () => {
    writeTable('tcp', [listener(PORT, 0), client(40_000, 9)]);
    lookUntilRead();
    const readings = memory.int[DoorInt.READINGS]!;
    const quiet = now() + 30_000;
    look({}, quiet);
    look({}, quiet + 20);
    const after = now();
    assert.equal(memory.int[DoorInt.READINGS], readings);
    writeTable('tcp', [listener(PORT, 0), client(40_000, 9), client(40_001, 9)]);
    lookUntilRead();
    const { anchor } = findUnread(memory, keyOf(40_001))!;
    assert.ok(anchor > findUnread(memory, keyOf(40_000))!.seenBy && anchor <= after, 'it had not come by then');
  });

  test('a later stall has nobody who stands there, if there was nobody before', () => {
    lookUntilRead();
    look({ beat: 2 }, now() + 30_000);
    assert.deepEqual(counts(), [0, 0, 0]);
    writeTable('tcp', [listener(PORT, 0), client(40_000, 9)]);
    lookUntilRead({ beat: 3 });
    look({ beat: 4 }, now() + 60_000);
    assert.deepEqual(counts(), [1, 0, 0], 'how many are left is read again');
  });

  test('a reading that was given up has not told who had', () => {
    writeTable('tcp', [listener(PORT, 0), ...Array.from({ length: 30_000 }, (_, i) => client(1024 + i, 1))]);
    look({}, now() + 10_000);
    reader.rest(memory.float[DoorFloat.LAST_LATE]! + 101);
    const readings = memory.int[DoorInt.READINGS]!;
    for (let looks = 1; memory.int[DoorInt.READINGS] === readings; looks++) {
      assert.ok(looks < 10_000, 'no reading is begun');
      look({ beat: 2 }, now() + 20_000);
    }
  });

  test('nothing is taken for granted where segments are not counted', () => {
    rmSync(join(folder, 'snmp'));
    reader.close();
    lookUntilUncountedRead();
    lookUntilUncountedRead();
  });

  function lookUntilUncountedRead(): void {
    const readings = memory.int[DoorInt.READINGS]!;
    for (let looks = 1; memory.int[DoorInt.READINGS] === readings; looks++) {
      assert.ok(looks < 10_000, 'no reading is begun');
      look({}, now() + 10_000 * looks);
    }
  }

  test('is asked again after all was forgotten', () => {
    lookUntilRead();
    reader.rest(memory.float[DoorFloat.LAST_LATE]! + 2000);
    const readings = memory.int[DoorInt.READINGS]!;
    look({ beat: 2 }, now() + 60_000);
    assert.equal(memory.int[DoorInt.READINGS], readings + 1);
  });
});

describe('overflows of accept queues', () => {
  test('are those since the stall began, and at its end', () => {
    writeTable('tcp', [listener(PORT, 8)]);
    look();
    assert.equal(counts()[2], 0);
    writeNetstat(121);
    look({}, now() + 1000);
    assert.equal(counts()[2], 21);
    writeNetstat(125);
    reader.rest(now());
    assert.equal(counts()[2], 25);
    look({ beat: 2 }, now() + 1000);
    assert.equal(counts()[2], 0);
  });

  test('need a queue: without one they are not looked at again', () => {
    look();
    writeNetstat(121);
    look({}, now() + 1000);
    reader.rest(now());
    assert.equal(counts()[2], 0);
  });
});

describe('what was seen', () => {
  test('is forgotten two seconds after the loop was last late', () => {
    writeTable('tcp', [listener(PORT, 0), client(40_000, 9)]);
    lookUntilRead();
    const last = memory.float[DoorFloat.LAST_LATE]!;
    reader.rest(last + 1999);
    assert.ok(findUnread(memory, keyOf(40_000)));
    assert.equal(memory.int[DoorInt.OPEN], 1);
    reader.rest(last + 2000);
    assert.equal(findUnread(memory, keyOf(40_000)), undefined);
    assert.equal(memory.int[DoorInt.OPEN], 0);
  });
});
