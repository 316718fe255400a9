import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { HeartbeatFile } from '../../../src/still-blocked/heartbeat-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'loopblame-'));
after(() => rmSync(folder, { recursive: true }));

test('the age is written at most once a second, whole, and nothing is left beside it', () => {
  const path = join(folder, 'loop');
  const file = new HeartbeatFile(path, (error) => assert.fail(String(error)));
  file.beat(10_000, 0.4);
  assert.equal(readFileSync(path, 'utf8'), '0\n');
  file.beat(10_999, 999);
  assert.equal(readFileSync(path, 'utf8'), '0\n');
  file.beat(11_000, 1234.6);
  assert.equal(readFileSync(path, 'utf8'), '1235\n');
  assert.deepEqual(readdirSync(folder), ['loop']);
});

test('a path that cannot be written is told once, and tried again', () => {
  const missing = join(folder, 'missing');
  const told: unknown[] = [];
  const file = new HeartbeatFile(join(missing, 'loop'), (error) => told.push(error));
  for (let i = 0; i < 5; i++) file.beat(i * 1000, 0);
  assert.equal(told.length, 1);
  mkdirSync(missing);
  file.beat(5000, 7);
  assert.equal(readFileSync(join(missing, 'loop'), 'utf8'), '7\n');
});
