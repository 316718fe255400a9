import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Exporter, type LoadHttp } from '../../../src/still-blocked/exporter.ts';

const loadHttp: LoadHttp = createRequire(import.meta.url);

async function serve(listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs` };
}

const idle = async (exporter: Exporter): Promise<void> => {
  while (exporter.pending > 0) await new Promise((resolve) => setTimeout(resolve, 5));
};

function exporter(): { exporter: Exporter; failures: string[] } {
  const failures: string[] = [];
  const made = new Exporter(loadHttp, (error, url) =>
    failures.push(`${url} ${(error as NodeJS.ErrnoException).code ?? error.message}`),
  );
  return { exporter: made, failures };
}

test('the body is posted once with its headers, on a connection of its own', async () => {
  const got: { headers: IncomingHttpHeaders; body: string; url: string | undefined }[] = [];
  const { server, url } = await serve(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    got.push({ headers: request.headers, body, url: request.url });
    response.end('{}');
  });
  const { exporter: it, failures } = exporter();
  it.send({ url, headers: { authorization: 'Bearer x' }, timeoutMs: 10_000 }, { a: 'ä' });
  assert.equal(it.pending, 1);
  await idle(it);
  server.close();
  assert.deepEqual(failures, []);
  assert.equal(it.lost, 0);
  assert.equal(got.length, 1);
  assert.deepEqual([got[0]!.body, got[0]!.url], ['{"a":"ä"}', '/v1/logs']);
  const { headers } = got[0]!;
  assert.equal(headers.authorization, 'Bearer x');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers.connection, 'close');
});

test('a connection that is refused, a status that is no success and a receiver that never answers are lost ones', async () => {
  const closed = await serve(() => {});
  closed.server.close();
  const refused = exporter();
  refused.exporter.send({ url: closed.url, headers: {}, timeoutMs: 10_000 }, {});
  await idle(refused.exporter);
  assert.deepEqual([refused.exporter.lost, refused.failures], [1, [`${closed.url} ECONNREFUSED`]]);

  const busy = await serve((_request, response) => {
    response.statusCode = 503;
    response.end();
  });
  const unavailable = exporter();
  unavailable.exporter.send({ url: busy.url, headers: {}, timeoutMs: 10_000 }, {});
  await idle(unavailable.exporter);
  busy.server.close();
  assert.deepEqual([unavailable.exporter.lost, unavailable.failures], [1, [`${busy.url} status 503`]]);

  const silent = await serve(() => {});
  const hung = exporter();
  for (let i = 0; i < 20; i++) hung.exporter.send({ url: silent.url, headers: {}, timeoutMs: 100 }, {});
  assert.equal(hung.exporter.pending, 8, 'the others are not even tried');
  await idle(hung.exporter);
  silent.server.closeAllConnections();
  silent.server.close();
  assert.equal(hung.exporter.lost, 20);
  assert.deepEqual([...new Set(hung.failures)], [`${silent.url} timeout`]);
});

test('an answer that breaks off halfway is over', async () => {
  const { server, url } = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{');
    setTimeout(() => response.destroy(), 20);
  });
  const { exporter: it } = exporter();
  it.send({ url, headers: {}, timeoutMs: 10_000 }, {});
  await idle(it);
  server.close();
  assert.equal(it.lost, 0, 'the receiver had taken it');
});

test('what cannot be sent at all fails as well, and never throws', async () => {
  const { exporter: it, failures } = exporter();
  it.send({ url: 'https://127.0.0.1:1/', headers: {}, timeoutMs: 1000, caFile: '/does/not/exist' }, {});
  it.send({ url: 'http://127.0.0.1:1/', headers: { bad: 'line\nbreak' }, timeoutMs: 1000 }, {});
  await idle(it);
  assert.deepEqual([it.lost, failures.length], [2, 2]);
});
