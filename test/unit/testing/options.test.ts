import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveOptions } from '../../../src/testing/options.ts';

const resolve = (options: object) => resolveOptions('assertLoopNotBlocked', options, 20);

test('maxMs: the last accepted and the first rejected values', () => {
  assert.equal(resolve({}).maxMs, 20);
  for (const maxMs of [10, 10.5, 60_000]) assert.equal(resolve({ maxMs }).maxMs, maxMs);
  for (const maxMs of [9.99, 60_000.01, Number.NaN, Number.POSITIVE_INFINITY, -20, '20', null]) {
    assert.throws(() => resolve({ maxMs }), {
      name: 'TypeError',
      message: /^assertLoopNotBlocked: maxMs must be a number from 10 to 60,000, not (-?[\d.]+|NaN|Infinity|a \w+)$/,
    });
  }
});

test('anything else that is no option is refused by name', () => {
  assert.throws(() => resolve({ onRemark: 'log' }), /onRemark must be a function/);
  assert.throws(() => resolve({ maxMS: 50 }), /maxMS is not an option \(options: maxMs, onRemark\)/);
  assert.throws(() => resolveOptions('failOnBlockedLoop', null as never, 20), /^TypeError: failOnBlockedLoop: options/);
});
