import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, judge, userFrame } from '../../../src/watchdog/judge.ts';

const frame = (functionName: string, file: string, over: Partial<Frame> = {}): Frame => ({
  functionName,
  file,
  line: 20,
  column: 5,
  enclosingLine: 10,
  enclosingColumn: 1,
  isAsync: false,
  ...over,
});
/** A frame that V8 reports for an interrupt at the function's entry. */
const atEntry = (functionName: string, file: string): Frame =>
  frame(functionName, file, { line: 10, column: 9 + functionName.length, enclosingLine: 10, enclosingColumn: 1 });
const dispatcher = frame('processTicksAndRejections', 'node:internal/process/task_queues');

test('an open frame of the user vouches for the span and is named', () => {
  const code = frame('resize', '/app/image.js');
  assert.deepEqual(judge([code, dispatcher]), { span: true, code, why: 'encloses' });
});

test('a just-entered function did not contain the native call: what is below it did', () => {
  const caller = frame('handler', '/app/route.js');
  assert.equal(judge([atEntry('tiny', '/app/route.js'), caller, dispatcher]).code, caller);
  assert.deepEqual(judge([atEntry('next', '/app/other.js'), dispatcher]), {
    span: false,
    code: undefined,
    why: 'dispatcher',
  });
});

test('an empty stack and dispatchers alone prove nothing', () => {
  assert.equal(judge([]).span, false);
  assert.equal(judge([dispatcher]).span, false);
  assert.equal(judge([frame('process.processTimers', 'node:internal/timers')]).span, false);
  assert.equal(
    judge([frame('listOnTimeout', 'node:internal/timers'), frame('processTimers', 'node:internal/timers')]).span,
    false,
  );
});

test('awaiting callers were not running', () => {
  assert.equal(judge([frame('caller', '/app/a.js', { isAsync: true })]).why, 'empty');
});

test('an after hook still has the context of the callback that ran', () => {
  assert.deepEqual(judge([atEntry('promiseAfterHook', 'node:internal/async_hooks'), dispatcher]), {
    span: true,
    code: undefined,
    why: 'after-hook',
  });
  assert.equal(
    judge([atEntry('promiseAfterHook', '/app/a.js'), dispatcher]).span,
    false,
    "a user's function of that name is none",
  );
});

test("Node's own open frames vouch for the span, but name no code", () => {
  assert.deepEqual(judge([frame('pbkdf2Sync', 'node:internal/crypto/pbkdf2'), dispatcher]), {
    span: true,
    code: undefined,
    why: 'internal-encloses',
  });
});

test("the user's own frame comes before a dependency's", () => {
  const own = frame('checkPassword', '/app/login.js');
  const dependency = frame('hash', '/app/node_modules/bcryptjs/index.js');
  assert.equal(userFrame([dependency, own]), own);
  assert.equal(userFrame([dependency]), dependency);
  assert.equal(userFrame([dispatcher]), undefined);
});
