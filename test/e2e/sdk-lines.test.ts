import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ProgramOptions, runProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { sdk3 } from '../support/sdk3.ts';

const line3 = sdk3();

/** Both lines of the OpenTelemetry SDK: the one that is installed here, and the packed package with the other. */
const lines: { name: string; sdk: RegExp; skip: false | string; options: ProgramOptions }[] = [
  { name: '2.x', sdk: /^2\./, skip: false, options: {} },
  { name: '3.x', sdk: /^3\./, skip: line3.skip, options: line3.program },
];

for (const { name, sdk, skip, options } of lines) {
  for (const register of ['import', 'require'] as const) {
    describe(`--${register} loopblame/register with OpenTelemetry ${name}`, { skip }, () => {
      let receiver: Receiver;
      before(async () => {
        receiver = await startReceiver();
      });
      after(() => receiver.close());

      it('marks the request that blocked, and counts it', async () => {
        const { code, truth, stderr } = await runProgram('request.mjs', { ...options, register, receiver });
        assert.equal(code, 0, stderr);
        const { spanId, ms } = truth[0];
        const span = await receiver.waitFor(({ spans }) => spans.find((received) => received.spanId === spanId));
        assert.match(String(span.resource['telemetry.sdk.version']), sdk);
        assert.equal(span.kind, 'SERVER');
        assert.equal(span.attributes['event_loop.blocked'], true);
        // the handler's own measurement is a lower bound, and the span's length an upper one
        const blockedMs = Number(span.attributes['event_loop.blocked.duration']) * 1e3;
        assert.ok(blockedMs >= ms * 0.9, `${blockedMs} of ${ms} ms`);
        assert.ok(blockedMs <= span.endMs - span.startMs + 30, `${blockedMs} of ${span.endMs - span.startMs} ms`);
        assert.match(
          String(span.attributes['code.function.name']),
          /culprit/,
          JSON.stringify(span.attributes, null, 1),
        );
        // loading the SDK may have held the loop as well, before
        await receiver.waitFor(({ metrics }) =>
          metrics.some(
            (point) =>
              point.name === 'event_loop.blocked.duration' && point.type === 'histogram' && point.max * 1e3 >= ms * 0.9,
          ),
        );
      });
    });
  }
}
