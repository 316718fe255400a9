import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disguised, replaceMethod } from '../../src/wrap.ts';

const passing = (original: Function) =>
  disguised(original, (self, args) => Reflect.apply(original, self as object, args));

function ordinary(a: unknown, b: unknown): unknown[] {
  return [a, b];
}
ordinary['extra'] = 1;

test('a wrapper cannot be told from its original: name, length, own properties, kind', () => {
  class Made {
    at: number;
    constructor(at: number) {
      this.at = at;
    }
  }
  for (const original of [ordinary, JSON.parse, async () => {}, { method() {} }.method, Made] as Function[]) {
    const wrapper = passing(original);
    const own = Object.getOwnPropertyDescriptors(original);
    const { prototype, ...others } = Object.getOwnPropertyDescriptors(wrapper) as Record<string, PropertyDescriptor>;
    assert.deepEqual(others, Object.fromEntries(Object.entries(own).filter(([key]) => key !== 'prototype')));
    assert.equal(prototype?.value, (own as Record<string, PropertyDescriptor>)['prototype']?.value);
    assert.equal(Object.hasOwn(wrapper, 'prototype'), Object.hasOwn(original, 'prototype'), original.name);
    assert.equal(Object.getPrototypeOf(wrapper), Object.getPrototypeOf(original));
  }
  assert.throws(() => new (passing(JSON.parse) as unknown as new () => unknown)(), TypeError);
  const made = new (passing(Made) as typeof Made)(7);
  assert.ok(made instanceof Made && made.at === 7);
});

test('this, arguments and what is thrown pass through', () => {
  const seen: unknown[] = [];
  const thrown = { not: 'an error' };
  const original = function (this: unknown, ...args: unknown[]) {
    seen.push(this, args.length, ...args);
    throw thrown;
  };
  const self = {};
  assert.throws(
    () => Reflect.apply(passing(original), self, [1, undefined]),
    (error) => error === thrown,
  );
  assert.deepEqual(seen, [self, 2, 1, undefined]);
});

test('a method is replaced once, and restored as it was', () => {
  const target = Object.defineProperty({}, 'call', { value: () => 1, writable: true, configurable: true });
  const before = Object.getOwnPropertyDescriptor(target, 'call');
  const undo = replaceMethod(target, 'call', passing);
  assert.ok(undo);
  assert.equal(replaceMethod(target, 'call', passing), undefined, 'a second time is none');
  const { value, ...traits } = Object.getOwnPropertyDescriptor(target, 'call')!;
  assert.notEqual(value, before?.value);
  assert.deepEqual(traits, { writable: true, enumerable: false, configurable: true });
  undo();
  assert.deepEqual(Object.getOwnPropertyDescriptor(target, 'call'), before);
  assert.ok(replaceMethod(target, 'call', passing), 'and can be replaced again');
});

test('what somebody else has put over it since stays', () => {
  const target = { call: () => 1 };
  const undo = replaceMethod(target, 'call', passing);
  const stub = (): number => 2;
  target.call = stub;
  undo?.();
  assert.equal(target.call, stub);
});
