import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ListenOptions, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { DoorInt, doorMemory, MAX_LISTENERS } from '../../../src/door/layout.ts';
import { Listeners, portsOf } from '../../../src/door/listeners.ts';
import { needs } from '../../support/needs.ts';

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))));
});

async function listen(options: ListenOptions): Promise<{ server: Server; port: number }> {
  const server = createServer();
  servers.push(server);
  await once(server.listen(options), 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : 0 };
}

test('ports by family, each once, as long as somebody listens', { skip: needs.ipv6() }, async () => {
  const memory = doorMemory();
  const listeners = new Listeners(memory);
  const four = await listen({ host: '127.0.0.1', port: 0 });
  const again = await listen({ host: '127.0.0.2', port: four.port });
  const six = await listen({ host: '::1', port: 0 });
  const both = await listen({ port: 0 });
  for (const { server } of [four, again, six, both, four]) listeners.add(server);
  assert.equal(memory.int[DoorInt.LISTENERS], 3);
  assert.deepEqual(portsOf(memory, 4), new Set([four.port]));
  assert.deepEqual(portsOf(memory, 6), new Set([six.port, both.port]), 'of both families: its table is that of IPv6');

  const close = (server: Server): Promise<unknown> => new Promise((closed) => server.close(closed));
  await close(four.server);
  assert.deepEqual(portsOf(memory, 4), new Set([four.port]), 'the other one still does');
  await close(again.server);
  assert.deepEqual(portsOf(memory, 4), new Set());
  listeners.clear();
  assert.deepEqual(portsOf(memory, 6), new Set());
});

test('whether another process accepts for a server and deals its connections out', async () => {
  const memory = doorMemory();
  const listeners = new Listeners(memory);
  listeners.add((await listen({ host: '127.0.0.1', port: 0 })).server);
  assert.equal(memory.int[DoorInt.DEALT], 0);
  // as a worker's is in a cluster with round robin
  const dealt = Object.assign(createServer(), { _handle: { getsockname() {} } });
  dealt.address = () => ({ address: '127.0.0.1', family: 'IPv4', port: 80 });
  listeners.add(dealt);
  assert.equal(memory.int[DoorInt.DEALT], 1);
  dealt.emit('close');
  assert.equal(memory.int[DoorInt.DEALT], 0);
});

test('servers without a port are passed over', async () => {
  const memory = doorMemory();
  const listeners = new Listeners(memory);
  listeners.add(createServer());
  const { server } = await listen({ path: join(tmpdir(), `door-${process.pid}.sock`) });
  listeners.add(server);
  assert.equal(memory.int[DoorInt.LISTENERS], 0);
});

test('more listeners than there is room for are left out', async () => {
  const memory = doorMemory();
  const listeners = new Listeners(memory);
  for (let i = 0; i <= MAX_LISTENERS; i++) listeners.add((await listen({ host: '127.0.0.1', port: 0 })).server);
  assert.equal(portsOf(memory, 4).size, MAX_LISTENERS);
});
