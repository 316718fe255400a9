import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ConnectionEnds } from '../../../src/door/ends.ts';
import { DoorInt, type DoorMemory, doorMemory, END_PAIRS, TABLE_SLOTS } from '../../../src/door/layout.ts';
import { findUnread, type LastRead, UnreadConnections } from '../../../src/door/unread.ts';

const KEY = 0x1234_5678;
const ALICE = 77;
const BOB = 78;

let memory: DoorMemory;
let ends: ConnectionEnds;
let thread: UnreadConnections;
beforeEach(() => {
  memory = doorMemory();
  ends = new ConnectionEnds(memory);
  thread = new UnreadConnections(memory, ends);
});

/** A reading that takes 4 ms, and sees each connection in the middle 2 of them. */
function read(at: number, bytes: Record<number, number>, lastRead: Partial<LastRead> = {}, isAccepted = true): number {
  thread.begin(at, { accepted: 0, all: 0, ...lastRead });
  for (const [key, count] of Object.entries(bytes)) {
    thread.see(Number(key), count, isAccepted, { from: at + 1, by: at + 3 });
  }
  return thread.end();
}

describe('an unread connection', () => {
  test('is dated by the reading that saw it first', () => {
    assert.equal(read(1000, { [ALICE]: 10 }, { accepted: 950 }), 1);
    assert.equal(read(1020, { [ALICE]: 10, [BOB]: 20 }), 2);
    read(1040, { [ALICE]: 10, [BOB]: 20 });
    assert.deepEqual(findUnread(memory, ALICE), { seenFrom: 1001, seenBy: 1003, anchor: 950, grewBy: 1003, bytes: 10 });
    assert.deepEqual(findUnread(memory, BOB), { seenFrom: 1021, seenBy: 1023, anchor: 1000, grewBy: 1023, bytes: 20 });
    assert.equal(findUnread(memory, 79), undefined);
  });

  test('that has sent more keeps its date, and when it did', () => {
    read(1000, { [ALICE]: 10 });
    read(1020, { [ALICE]: 30 });
    read(1040, { [ALICE]: 30 });
    const { seenBy, grewBy, bytes } = findUnread(memory, ALICE)!;
    assert.deepEqual({ seenBy, grewBy, bytes }, { seenBy: 1003, grewBy: 1023, bytes: 30 });
  });

  test('that a whole reading does not see is forgotten', () => {
    read(1000, { [ALICE]: 10 });
    read(1020, {});
    assert.equal(findUnread(memory, ALICE), undefined);
    read(1040, { [ALICE]: 10 });
    assert.deepEqual(findUnread(memory, ALICE), {
      seenFrom: 1041,
      seenBy: 1043,
      anchor: 1020,
      grewBy: 1043,
      bytes: 10,
    });
  });

  test('stays as it was while a reading is under way, and if it is given up', () => {
    read(1000, { [ALICE]: 10 });
    thread.begin(1020, { accepted: 0, all: 0 });
    assert.equal(findUnread(memory, ALICE)?.seenBy, 1003);
    read(1040, { [ALICE]: 10 });
    assert.equal(findUnread(memory, ALICE)?.seenBy, 1003);
  });

  test('whose request has been read begins anew: these are other bytes', () => {
    read(1000, { [ALICE]: 10, [BOB]: 10 }, { accepted: 950 });
    ends.set(ALICE, 1010);
    read(1020, { [ALICE]: 10, [BOB]: 10 });
    assert.deepEqual(findUnread(memory, ALICE), {
      seenFrom: 1021,
      seenBy: 1023,
      anchor: 1010,
      grewBy: 1023,
      bytes: 10,
    });
    assert.equal(findUnread(memory, BOB)?.seenBy, 1003, 'another one is left alone');
  });

  test('that was read while it was seen begins anew at the next reading', () => {
    ends.set(ALICE, 1002);
    read(1000, { [ALICE]: 10 });
    assert.equal(findUnread(memory, ALICE)?.seenFrom, 1001, 'which is before it was read: of no use to the loop');
    read(1020, { [ALICE]: 10 });
    assert.equal(findUnread(memory, ALICE)?.seenFrom, 1021);
  });

  test('is not said to wait for longer when too many were read to remember each', () => {
    read(1000, { [ALICE]: 10 }, { accepted: 950 });
    ends.set(ALICE, 1005);
    // the same two slots
    ends.set(ALICE + END_PAIRS, 1010);
    ends.set(ALICE + 2 * END_PAIRS, 1015);
    assert.deepEqual(ends.of(ALICE), { at: 1010, isOwn: false });
    read(1020, { [ALICE]: 10 });
    const { seenFrom, anchor } = findUnread(memory, ALICE)!;
    assert.deepEqual({ seenFrom, anchor }, { seenFrom: 1021, anchor: 950 });
  });

  test('was not there by when nothing at all had come since the last reading', () => {
    thread.nothingNewBy(990);
    read(1000, { [ALICE]: 10 });
    assert.equal(findUnread(memory, ALICE)?.anchor, 0, 'there was none');
    thread.nothingNewBy(1500);
    read(1600, { [ALICE]: 10, [BOB]: 10 });
    assert.equal(findUnread(memory, BOB)?.anchor, 1500);
  });

  test('that nobody has accepted may have stood there in turns that left it over', () => {
    read(1000, { [ALICE]: 10 }, { accepted: 950, all: 700 }, false);
    assert.equal(findUnread(memory, ALICE)?.anchor, 700);
    read(1020, { [ALICE]: 10, [BOB]: 10 }, { accepted: 950, all: 700 }, false);
    assert.equal(findUnread(memory, BOB)?.anchor, 1000, 'not at the last reading');
  });
});

describe('tables', () => {
  test('are filled by turns, so that the loop can read one meanwhile', () => {
    read(1000, { [KEY]: 10 });
    const version = memory.int[DoorInt.VERSION]!;
    assert.equal(memory.tables[(version & 1) as 0 | 1].keys[KEY & (TABLE_SLOTS - 1)], KEY);
    read(1020, {});
    assert.equal(memory.int[DoorInt.VERSION], version + 1);
    assert.equal(memory.tables[(version & 1) as 0 | 1].keys[KEY & (TABLE_SLOTS - 1)], KEY, 'the other one was filled');
    assert.equal(findUnread(memory, KEY), undefined);
  });

  test('hold keys that want the same slot, up to a limit, and count the others', () => {
    const rivals = Array.from({ length: 40 }, (_, i) => KEY + i * TABLE_SLOTS);
    assert.equal(read(1000, Object.fromEntries(rivals.map((key) => [key, 1]))), 40);
    const found = rivals.filter((key) => findUnread(memory, key));
    assert.equal(found.length, 32);
    assert.equal(memory.int[DoorInt.DROPPED], 8);
  });

  test('hold half of their slots at most, and count the others', () => {
    thread.begin(1000, { accepted: 0, all: 0 });
    const moment = { from: 1000, by: 1001 };
    for (let i = 0; i < TABLE_SLOTS; i++) thread.see(i + 1, 1, true, moment);
    assert.equal(thread.end(), TABLE_SLOTS, 'all are counted');
    assert.equal(memory.int[DoorInt.DROPPED], TABLE_SLOTS / 2);
    assert.ok(findUnread(memory, TABLE_SLOTS / 2));
    assert.equal(findUnread(memory, TABLE_SLOTS / 2 + 1), undefined);
    read(1020, { [TABLE_SLOTS]: 1 });
    assert.equal(findUnread(memory, TABLE_SLOTS)?.anchor, 0, 'it may have been among those');
  });

  test('are empty once all is forgotten', () => {
    read(1000, { [ALICE]: 10 });
    thread.clear();
    assert.equal(findUnread(memory, ALICE), undefined);
    read(9000, { [ALICE]: 10 });
    assert.equal(findUnread(memory, ALICE)?.anchor, 0);
  });
});

test("a connection's end is its last", () => {
  assert.deepEqual(ends.of(ALICE), { at: 0, isOwn: false });
  ends.set(ALICE, 1000);
  ends.set(BOB, 1001);
  ends.set(ALICE, 1002);
  ends.set(ALICE + END_PAIRS, 1003);
  ends.set(ALICE, 1004);
  assert.deepEqual(ends.of(ALICE), { at: 1004, isOwn: true });
  assert.deepEqual(ends.of(BOB), { at: 1001, isOwn: true });
  assert.deepEqual(ends.of(ALICE + END_PAIRS), { at: 1003, isOwn: true });
});

test('every slot is a slot of its own, inside the memory', () => {
  const { buffer, int, float, listeners, tables, endKeys, endTimes } = memory;
  assert.ok(Object.values(DoorInt).every((slot) => slot < int.length));
  const views = [int, float, listeners, endKeys, endTimes, ...tables.flatMap(({ keys, records }) => [keys, records])];
  const ranges = views.map((view) => [view.byteOffset, view.byteOffset + view.byteLength] as const);
  ranges.sort(([a], [b]) => a - b);
  for (let i = 1; i < ranges.length; i++) assert.ok(ranges[i]![0] >= ranges[i - 1]![1]);
  assert.equal(ranges.at(-1)![1], buffer.byteLength);
  assert.equal(doorMemory(buffer).tables[1].records.byteOffset, tables[1].records.byteOffset);
});
