import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../../src/watchdog/judge.ts';
import { StackReader } from '../../../src/watchdog/stack.ts';

const reader = new StackReader();

test('frames are those above the function, innermost first', () => {
  let frames: Frame[] = [];
  function above(): void {
    frames = reader.frames(above);
  }
  function caller(): void {
    above();
  }
  caller();
  assert.equal(frames[0]?.functionName, 'caller');
  assert.match(frames[0]?.file ?? '', /stack\.test\.ts$/);
  assert.ok(frames[0]!.line >= frames[0]!.enclosingLine);
});

test('a sample in the midst of the formatting of a stack is empty, and does not fail', (t) => {
  const original = Error.prepareStackTrace;
  t.after(() => {
    Error.prepareStackTrace = original;
  });
  let frames: Frame[] | undefined;
  Error.prepareStackTrace = function format() {
    frames = reader.frames(format);
    return 'formatted';
  };
  assert.equal(new Error('any').stack, 'formatted');
  assert.deepEqual(frames, []);
});
