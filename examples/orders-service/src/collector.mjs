/** A small OpenTelemetry receiver: takes spans by OTLP over HTTP in JSON, and hands them over when asked. */
import { createServer } from 'node:http';
import { attach } from './child.mjs';

let spans = [];

attach(
  () =>
    new Promise((resolve, reject) => {
      const server = createServer(receive);
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}` }));
    }),
  {
    take() {
      const taken = spans;
      spans = [];
      return taken;
    },
  },
);

async function receive(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (request.url === '/v1/traces') spans.push(...read(JSON.parse(Buffer.concat(chunks))));
  response.setHeader('content-type', 'application/json').end('{}');
}

function* read({ resourceSpans }) {
  for (const { resource, scopeSpans } of resourceSpans) {
    const pid = attributes(resource.attributes)['process.pid'];
    for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
      yield {
        pid,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId || undefined,
        name: span.name,
        kind: span.kind,
        startMs: milliseconds(span.startTimeUnixNano),
        endMs: milliseconds(span.endTimeUnixNano),
        attributes: attributes(span.attributes),
        events: (span.events ?? []).map((event) => ({
          name: event.name,
          atMs: milliseconds(event.timeUnixNano),
          attributes: attributes(event.attributes),
        })),
        links: (span.links ?? []).map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
      };
    }
  }
}

function attributes(list = []) {
  return Object.fromEntries(list.map(({ key, value }) => [key, scalar(value)]));
}

function scalar({ stringValue, boolValue, doubleValue, intValue, arrayValue }) {
  if (arrayValue) return arrayValue.values.map(scalar);
  return stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue));
}

/** Nanoseconds since 1970 do not fit a double; their milliseconds and microseconds do. */
function milliseconds(unixNano) {
  return Number(BigInt(unixNano) / 1000n) / 1000;
}
