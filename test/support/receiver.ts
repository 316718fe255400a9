import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { type LogRecord, logsOf, type MetricPoint, metricsOf, type Span, spansOf } from './otlp.ts';

export interface Receiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  spans: Span[];
  metrics: MetricPoint[];
  logs: LogRecord[];
  /** What was refused, and why: a test that waits in vain says it. */
  refused: string[];
  /** Resolves with the first truthy value of `predicate`, which is asked again after each export. */
  waitFor<T>(predicate: (receiver: Receiver) => T, timeoutMs?: number): Promise<NonNullable<T>>;
  close(): Promise<void>;
}

/** A real OTLP/HTTP server for the `http/json` protocol, with or without gzip, on a free port of the loopback. */
export async function startReceiver(): Promise<Receiver> {
  const onExport = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const reason = await take(request, receiver).catch((error: unknown) => String(error));
    if (reason) receiver.refused.push(`${request.method} ${request.url}: ${reason}`);
    response.writeHead(reason ? 400 : 200, { 'content-type': 'application/json' }).end('{}');
    for (const notify of onExport) notify();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: [],
    metrics: [],
    logs: [],
    refused: [],
    waitFor(predicate, timeoutMs = 10_000) {
      return new Promise((resolve, reject) => {
        const settle = (act: () => void) => {
          clearTimeout(timer);
          onExport.delete(ask);
          act();
        };
        const ask = () => {
          try {
            const value = predicate(receiver);
            if (value) settle(() => resolve(value as NonNullable<typeof value>));
          } catch (error) {
            settle(() => reject(error));
          }
        };
        const timer = setTimeout(
          () => settle(() => reject(new Error(`Not received in ${timeoutMs} ms. Received: ${summary(receiver)}`))),
          timeoutMs,
        );
        onExport.add(ask);
        ask();
      });
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // exporters keep their connections open
      server.closeAllConnections();
      return closed;
    },
  };
  return receiver;
}

/** Stores what a request carries; returns why it was refused, if it was. */
async function take(request: IncomingMessage, into: Receiver): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const type = request.headers['content-type'];
  if (!type?.startsWith('application/json')) return `content type ${type} instead of http/json`;
  const bytes = Buffer.concat(chunks);
  const body = JSON.parse((request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString());
  if (request.url === '/v1/traces') into.spans.push(...spansOf(body));
  else if (request.url === '/v1/metrics') into.metrics.push(...metricsOf(body));
  else if (request.url === '/v1/logs') into.logs.push(...logsOf(body));
  else return 'no such path';
  return undefined;
}

function summary({ spans, metrics, logs, refused }: Receiver): string {
  const counted = new Map<string, number>();
  for (const { name } of [...spans, ...metrics]) counted.set(name, (counted.get(name) ?? 0) + 1);
  const names = [...counted].map(([name, count]) => `${name} × ${count}`);
  if (logs.length > 0) names.push(`logs × ${logs.length}`);
  return [...names, ...refused.map((reason) => `refused ${reason}`)].join(', ') || 'nothing';
}
