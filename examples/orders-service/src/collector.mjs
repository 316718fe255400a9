/** A small OpenTelemetry receiver: takes spans by OTLP over HTTP in JSON, and hands them over when asked. */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { attach } from './child.mjs';

const SERVER = 2;

let spans = [];
/** Exports as they came, where they are wanted. */
let exports;

attach(
  () =>
    new Promise((resolve, reject) => {
      const server = createServer(receive);
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve({ url: `http://127.0.0.1:${server.address().port}` }));
    }),
  {
    keep({ wanted }) {
      exports = wanted ? [] : undefined;
      return {};
    },
    /**
     * A line each, as the OpenTelemetry Collector's file exporter does it. Without requests that ended later than `endMs`:
     * their clients had gone, and their spans ended with the connection.
     */
    write({ path, endMs }) {
      const isAnswered = (span) => span.kind !== SERVER || milliseconds(span.endTimeUnixNano) <= endMs;
      for (const { resourceSpans } of exports.splice(0)) {
        for (const scope of resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)) {
          scope.spans = scope.spans.filter(isAnswered);
        }
        appendFileSync(path, `${JSON.stringify({ resourceSpans })}\n`);
      }
      return {};
    },
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
  if (request.url === '/v1/traces') {
    const body = JSON.parse(Buffer.concat(chunks));
    spans.push(...read(body));
    exports?.push(body);
  }
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
