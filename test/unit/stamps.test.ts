import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStamps } from '../../src/stamps.ts';

test('a state is found on the object that it was set on, and replaced', () => {
  const stamps = createStamps<{ n: number }>();
  const on = {};
  assert.equal(stamps.get(on), undefined);
  stamps.set(on, { n: 1 });
  assert.deepEqual(stamps.get(on), { n: 1 });
  stamps.set(on, { n: 2 });
  assert.deepEqual(stamps.get(on), { n: 2 });
  assert.equal(stamps.get({}), undefined);
});

test('nobody else sees it, and two kinds do not see each other', () => {
  const [ours, others] = [createStamps<number>(), createStamps<number>()];
  const on = { own: 1 };
  ours.set(on, 1);
  assert.deepEqual(Reflect.ownKeys(on), ['own']);
  assert.equal(others.get(on), undefined);
  assert.equal(ours.get(Object.create(on)), undefined, 'it is not inherited');
});
