import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { callOf, type Sample, type SectionPiece, type StallShares, shareStall } from '../../../src/blame/shares.ts';
import type { Frame } from '../../../src/watchdog/judge.ts';

const section = { name: 'pg decode', phase: 'decode', system: 'postgresql', slow: false } as const;
const code = (functionName: string): Frame => ({
  functionName,
  file: `/app/${functionName}.js`,
  line: 3,
  column: 1,
  enclosingLine: 1,
  enclosingColumn: 1,
  isAsync: false,
});
const sample = (at: number, owner: string | undefined, over: Partial<Sample<string>> = {}): Sample<string> => ({
  postedAt: at,
  at,
  owner,
  judgement: { span: true, code: code(owner ?? 'nobody'), why: 'encloses' },
  frames: [],
  callback: 1,
  ...over,
});
const unproven = (at: number, owner: string, postedAt = at): Sample<string> =>
  sample(at, owner, { postedAt, judgement: { span: false, code: undefined, why: 'empty' } });
const piece = (start: number, end: number, owner: string | undefined, own = end - start): SectionPiece<string> => ({
  section,
  owner,
  start,
  end,
  own,
  isOutermost: true,
  runs: 1,
});
const msOf = (stall: StallShares<string>, owner: string): number =>
  stall.shares.find((share) => share.owner === owner)?.ms ?? 0;
const everAt =
  (times: Record<string, number> = {}) =>
  (owner: string) =>
    times[owner] ?? Number.NEGATIVE_INFINITY;
const every = (from: number, to: number, step: number, owner: string): Sample<string>[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => sample(from + i * step, owner));

test('one hold is its one culprit, from the turn on', () => {
  const stall = shareStall({ from: 0, to: 100 }, [], every(20, 95, 5, 'a'), everAt());
  assert.equal(msOf(stall, 'a'), 100);
  assert.equal(stall.unknownMs, 0);
  assert.equal(stall.kind, 'hold');
  assert.equal(stall.shares[0]?.code?.functionName, 'a');
});

test('two culprits of one turn share it by their samples, within a few points', () => {
  const stall = shareStall({ from: 0, to: 100 }, [], [...every(20, 70, 5, 'a'), ...every(75, 100, 5, 'b')], everAt());
  assert.ok(Math.abs(msOf(stall, 'a') - 72.5) < 0.01, `${msOf(stall, 'a')}`);
  assert.ok(Math.abs(msOf(stall, 'b') - 27.5) < 0.01);
});

test('where the second span began between two samples, the border is there', () => {
  const stall = shareStall(
    { from: 0, to: 100 },
    [],
    [...every(20, 65, 5, 'a'), ...every(74, 99, 5, 'b')],
    everAt({ b: 70 }),
  );
  assert.equal(msOf(stall, 'a'), 70);
  assert.equal(msOf(stall, 'b'), 30);
});

test('one sample of a turn of many short callbacks does not give the turn to whoever it met', () => {
  const stall = shareStall({ from: 0, to: 25 }, [], [sample(20, 'bystander')], everAt());
  assert.ok(msOf(stall, 'bystander') <= 5, `${msOf(stall, 'bystander')}`);
  assert.ok(stall.unknownMs >= 20);
});

test('a late sample vouches for its whole wait', () => {
  const stall = shareStall({ from: 0, to: 100 }, [], [sample(99, 'a', { postedAt: 20 })], everAt());
  assert.equal(msOf(stall, 'a'), 100);
});

test('a late sample that proves nothing leaves its wait unknown, and never goes to the span that was active', () => {
  const stall = shareStall({ from: 0, to: 100 }, [], [unproven(99, 'innocent', 20)], everAt());
  assert.equal(msOf(stall, 'innocent'), 0);
  assert.equal(stall.unknownMs, 100);
});

test('short waits at a resume point are shared as the known samples are', () => {
  const samples = [
    sample(20, 'a'),
    sample(25, 'a'),
    unproven(30, 'x'),
    sample(35, 'a'),
    unproven(40, 'x'),
    sample(45, 'a'),
  ];
  const stall = shareStall({ from: 18, to: 45 }, [], samples, everAt());
  assert.ok(Math.abs(msOf(stall, 'a') - 27) < 0.01, `${msOf(stall, 'a')}`);
  assert.equal(stall.kind, 'burst');
});

test('nothing before a span began is its own', () => {
  const stall = shareStall({ from: 0, to: 60 }, [], every(20, 60, 5, 'a'), everAt({ a: 15 }));
  assert.equal(msOf(stall, 'a'), 45);
  assert.equal(stall.unknownMs, 15);
});

test('sections are exact, and samples share only what lies between them', () => {
  const stall = shareStall(
    { from: 0, to: 100 },
    [piece(0, 40, 'db')],
    [sample(20, 'db'), sample(45, 'app'), sample(70, 'app'), sample(95, 'app')],
    everAt(),
  );
  assert.equal(msOf(stall, 'db'), 40);
  assert.equal(msOf(stall, 'app'), 60);
});

test('a section that contains another counts its own time alone', () => {
  const inner = { ...piece(10, 40, 'b'), isOutermost: false };
  const stall = shareStall({ from: 0, to: 50 }, [piece(0, 50, 'a', 20), inner], [], everAt());
  assert.equal(msOf(stall, 'a'), 20);
  assert.equal(msOf(stall, 'b'), 30);
});

test('without any evidence nobody is blamed', () => {
  const stall = shareStall({ from: 0, to: 100 }, [], [], everAt());
  assert.deepEqual(stall.shares, []);
  assert.equal(stall.unknownMs, 100);
});

test('code without a span is told apart by function', () => {
  const stall = shareStall(
    { from: 0, to: 100 },
    [],
    [sample(20, undefined), sample(60, undefined), sample(99, undefined)],
    everAt(),
  );
  assert.equal(stall.shares[0]?.owner, undefined);
  assert.equal(stall.shares[0]?.code?.functionName, 'nobody');
});

test('shares and the unknown rest add up to the stall, whatever was seen', () => {
  const owners = fc.constantFrom('a', 'b', 'c');
  fc.assert(
    fc.property(
      fc.double({ min: 1, max: 2000, noNaN: true }),
      fc.array(
        fc.record({
          at: fc.double({ min: 0, max: 1, noNaN: true }),
          wait: fc.double({ min: 0, max: 0.3, noNaN: true }),
          owner: owners,
          proven: fc.boolean(),
        }),
        { maxLength: 40 },
      ),
      fc.array(fc.record({ start: fc.double({ min: 0, max: 1, noNaN: true }), owner: owners }), { maxLength: 8 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (length, seen, starts, begun) => {
        const samples = seen
          .sort((x, y) => x.at - y.at)
          .map(({ at, wait, owner, proven }) => {
            const postedAt = Math.max(0, at - wait) * length;
            return proven ? sample(at * length, owner, { postedAt }) : unproven(at * length, owner, postedAt);
          });
        const sorted = starts
          .map(({ start, owner }) => ({ start: start * length, owner }))
          .sort((x, y) => x.start - y.start);
        const pieces = sorted.map(({ start, owner }, i) => {
          const end = Math.min(sorted[i + 1]?.start ?? length, start + length / 10);
          return piece(start, Math.max(start, end), owner);
        });
        const stall = shareStall({ from: 0, to: length }, pieces, samples, everAt({ b: begun * length }));
        const sum = stall.shares.reduce((total, share) => total + share.ms, stall.unknownMs);
        assert.ok(Math.abs(sum - length) < 1e-5 * Math.max(1, length), `${sum} of ${length}`);
        assert.ok(stall.shares.every((share) => share.ms >= 0) && stall.unknownMs >= -1e-9);
      },
    ),
  );
});

const callback = { ...section, name: 'kafka data', phase: 'callback' } as const;
const called = (start: number, end: number, owner: string | undefined, own = end - start): SectionPiece<string> => ({
  ...piece(start, end, owner, own),
  section: callback,
});

test("a callback's time is its owner's, and that of spans which samples saw in it", () => {
  const alone = shareStall({ from: 0, to: 100 }, [called(0, 100, 'message')], every(20, 95, 5, 'message'), everAt());
  assert.equal(msOf(alone, 'message'), 100);

  // the message's own code until 40, where it opens a span
  const samples = [...every(20, 35, 5, 'message'), ...every(45, 95, 5, 'inner')];
  const both = shareStall({ from: 0, to: 100 }, [called(0, 100, 'message')], samples, everAt({ inner: 40 }));
  assert.equal(msOf(both, 'message'), 40);
  assert.equal(msOf(both, 'inner'), 60);
  assert.equal(both.unknownMs, 0);
});

test('calls within a callback are told apart from its own time', () => {
  // 10 ms of the message, 60 ms of a call, 30 ms of a span that began right after the call
  const pieces = [called(0, 100, 'message', 40), { ...piece(10, 70, 'call'), isOutermost: false }];
  const samples = [sample(5, 'message'), ...every(20, 65, 5, 'call'), ...every(80, 95, 5, 'inner')];
  const stall = shareStall({ from: 0, to: 100 }, pieces, samples, everAt({ inner: 70 }));
  assert.equal(msOf(stall, 'message'), 10);
  assert.equal(msOf(stall, 'call'), 60);
  assert.equal(msOf(stall, 'inner'), 30);
});

test("a callback's function is what samples saw, not the client that has called it", () => {
  const details = { stack: [code('client')], evidence: undefined };
  const seen = shareStall({ from: 0, to: 50 }, [{ ...called(0, 50, 'a'), details }], every(20, 45, 5, 'a'), everAt());
  assert.equal(seen.shares[0]?.code?.functionName, 'a');
  const unseen = shareStall({ from: 0, to: 50 }, [{ ...called(0, 50, 'a'), details }], [], everAt());
  assert.equal(unseen.shares[0]?.code, undefined);
  const encoded = shareStall({ from: 0, to: 50 }, [{ ...piece(0, 50, 'a'), details }], [], everAt());
  assert.equal(encoded.shares[0]?.code?.functionName, 'client');
});

test("what a late thread left unseen is nobody's, neither before a sample nor behind it", () => {
  // the native call's own sample proves nothing, and the next one meets the innocent request behind it
  const posted = shareStall({ from: 0, to: 100 }, [], [unproven(90, 'innocent', 85), sample(92, 'innocent')], everAt());
  assert.ok(msOf(posted, 'innocent') < 20, `${msOf(posted, 'innocent')}`);
  const early = shareStall({ from: 0, to: 120 }, [], [sample(20, 'early'), sample(110, 'late')], everAt());
  assert.ok(msOf(early, 'early') < 20, `${msOf(early, 'early')}`);
  assert.ok(msOf(early, 'late') < 20, `${msOf(early, 'late')}`);
});

test("a function that a late thread saw only when the block was over is not the block's", () => {
  const busy = { ...sample(20, 'a', { postedAt: 20 }) };
  const after = sample(121, 'a', { judgement: { span: true, code: code('afterwards'), why: 'encloses' } });
  const first = sample(10, 'a');
  const stall = shareStall({ from: 0, to: 122 }, [], [first, busy, after], everAt());
  assert.equal(msOf(stall, 'a') > 100, true);
  assert.equal(stall.shares[0]?.code?.functionName, 'a');
});

test('a response is told by what parsed it where that was seen; a request by who made it', () => {
  const details = { stack: [code('caller')], evidence: undefined };
  const named = (phase: 'call' | 'encode' | 'decode', samples: Sample<string>[]) =>
    shareStall(
      { from: 0, to: 50 },
      [{ ...piece(0, 50, 'a'), section: { ...section, phase }, details }],
      samples,
      everAt(),
    ).shares[0]?.code?.functionName;
  const inside = [sample(30, 'a', { judgement: { span: true, code: code('inside'), why: 'encloses' }, postedAt: 25 })];
  assert.equal(named('call', inside), 'caller');
  assert.equal(named('encode', inside), 'caller');
  assert.equal(named('decode', inside), 'inside');
  assert.equal(named('decode', []), 'caller');
});

test('of many short sections the call that they are of makes the most, though a single other one is longer', () => {
  const chunks = Array.from({ length: 12 }, (_, i) => piece(i * 6, i * 6 + 5, 'a'));
  const other = { ...piece(80, 100, 'a'), section: { ...section, name: 'fs.readSync', phase: 'call' } as const };
  const evidence = { wall: 20, run: 0, queue: 20 };
  const details = { stack: [], evidence };
  const [share] = shareStall({ from: 0, to: 100 }, [...chunks, { ...other, details }], [], everAt()).shares;
  assert.equal(share?.section?.name, 'pg decode');
  assert.equal(share?.sectionMs, 60);
  assert.equal(share?.evidence, evidence);
  assert.equal(share?.evidenceMs, 20, 'and is no evidence for the whole');
});

test('a share is told by its longest call where the calls of its client make half of it together', () => {
  const steps = (parse: number, decode: number): SectionPiece<string>[] => [
    { ...piece(0, parse, 'a'), section: { ...section, name: 'pg parse' } },
    piece(50, 50 + decode, 'a'),
    { ...piece(90, 95, 'a'), section: { ...section, name: 'fs.readSync', system: 'nodejs' } },
  ];
  const told = (pieces: SectionPiece<string>[]) => {
    const [share] = shareStall({ from: 0, to: 100 }, pieces, every(1, 99, 2, 'a'), everAt()).shares;
    assert.equal(share?.ms, 100);
    return callOf(share!)?.name;
  };
  assert.equal(told(steps(30, 25)), 'pg parse');
  assert.equal(told(steps(20, 40)), 'pg decode');
  assert.equal(told(steps(24, 24)), undefined, '53 of 100 with that of another client');
});
