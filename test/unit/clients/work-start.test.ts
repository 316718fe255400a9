import assert from 'node:assert/strict';
import { it } from 'node:test';
import { WorkStart } from '../../../src/clients/work-start.ts';
import { now } from '../../../src/clock.ts';

it('gives the first of several moments once, in the same callback alone', async () => {
  const start = new WorkStart();
  assert.equal(start.take(), undefined);
  const before = now();
  start.note();
  const after = now();
  start.note();
  const at = start.take()!;
  assert.ok(at >= before && at <= after);
  assert.equal(start.take(), undefined);

  start.note();
  await null;
  assert.equal(start.take(), undefined, 'whatever it was, it has ended with the callback');
});
