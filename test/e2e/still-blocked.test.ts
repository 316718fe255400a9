import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { nodes, type TestNode } from '../support/nodes.ts';
import type { LogRecord, NumberPoint } from '../support/otlp.ts';
import { type Program, runProgram, startProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { retry } from '../support/retry.ts';

const AFTER_MS = 200;
const REPORTS = 3;

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'loopblame-'));
});
after(() => rmSync(folder, { recursive: true }));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
async function until<T>(get: () => T, isReached: (value: T) => boolean): Promise<T> {
  let value = get();
  for (const end = performance.now() + 30_000; !isReached(value); value = get()) {
    assert.ok(performance.now() < end, `it is ${value} after 30 s`);
    await sleep(10);
  }
  return value;
}
/** NaN while there is none. */
const read = (file: string): number => (existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.NaN);

let files = 0;
const newFile = (): string => join(folder, `file-${files++}`);

const env = (over: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  LOOPBLAME_STILL_BLOCKED_AFTER_MS: `${AFTER_MS}`,
  ...over,
});

interface Block {
  readonly program: Program;
  /** What the program says of itself before it is stuck. */
  readonly truth: { traceId: string; spanId: string; traceFlags: number; startedAt: number };
  /** Lets the program go on. Nothing that came before was sent by its loop. */
  release(): void;
}

/** Starts the program and waits until it is about to be stuck. */
async function stuck(
  node: TestNode,
  kind: 'native' | 'busy' | 'hang',
  receiver: { url: string } | undefined,
  over: NodeJS.ProcessEnv = {},
  nodeArgs: string[] = [],
): Promise<Block> {
  const file = newFile();
  if (kind === 'native') execFileSync('mkfifo', [file]);
  const program = startProgram('still-blocked.mjs', {
    node: node.execPath,
    nodeArgs,
    args: [kind, file],
    env: env(over),
    ...(receiver && { receiver }),
  });
  const [, truth] = await program.waitForOutput(/^TRUTH (.*)$/m);
  return { program, truth: JSON.parse(truth!), release: () => writeFileSync(file, 'go on') };
}

const reportsOf = (receiver: Receiver): LogRecord[] =>
  receiver.logs.filter((record) => record.eventName === 'event_loop.still_blocked');
const atLeast = <T>(count: number, items: T[]): T[] | undefined => (items.length >= count ? items : undefined);
const durationMs = (record: LogRecord): number => Number(record.attributes['event_loop.stall.duration']) * 1e3;
const lags = (receiver: Receiver): NumberPoint[] =>
  receiver.metrics.filter((point): point is NumberPoint => point.name === 'event_loop.lag' && point.type === 'gauge');

const notLinux = process.platform === 'linux' ? false : 'wake-ups are counted by /proc';

/** How often threads of a process that has nothing to do went to sleep in three seconds. */
async function wakeUps(node: TestNode, over: NodeJS.ProcessEnv): Promise<number> {
  const program = startProgram('still-blocked.mjs', { node: node.execPath, args: ['idle', '6000'], env: over });
  await program.waitForOutput(/ready/);
  await sleep(2000);
  const before = switchesOf(program.pid);
  await sleep(3000);
  const count = switchesOf(program.pid) - before;
  assert.equal((await program.done).code, 0);
  return count;
}

function switchesOf(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    sum += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
  }
  return sum;
}

/** Each at twice the time of the one before, and never longer than the block had lasted. */
function assertDoubling(reports: readonly LogRecord[], startedAt: number): void {
  reports.forEach((record, i) => {
    const ms = durationMs(record);
    assert.ok(ms >= AFTER_MS * 2 ** i - 1, `report ${i} came after ${ms} ms`);
    // it may take the end of the turn before for the beginning
    assert.ok(ms <= record.timeMs - startedAt + 50, `${ms} ms, ${record.timeMs - startedAt} ms after the beginning`);
  });
}

for (const node of nodes) {
  describe(`a loop that is still blocked on ${node.name}`, { skip: node.skip }, () => {
    let receiver: Receiver;
    before(async () => {
      receiver = await startReceiver();
    });
    after(() => receiver.close());

    test('in one native call is reported while it lasts, at doubling intervals, with section and span', () =>
      retry(3, async () => {
        receiver.logs.length = 0;
        const { program, truth, release } = await stuck(node, 'native', receiver);
        const reports = await receiver.waitFor(() => atLeast(REPORTS, reportsOf(receiver)));
        release();
        const { code, stderr, truth: truths } = await program.done;
        assert.equal(code, 0, stderr);
        assert.equal(stderr, '');
        for (const record of reports) {
          assert.equal(record.traceId, truth.traceId);
          assert.equal(record.spanId, truth.spanId);
          assert.equal(record.scope, 'loopblame');
          assert.equal(record.attributes['event_loop.blocked.section'], 'fs.readFileSync');
          assert.equal(record.attributes['code.function.name'], undefined, 'no interrupt, no stack');
          const [last] = record.attributes['event_loop.sections.before'] as string[];
          assert.match(last!, /^fs\.readdirSync, [\d.]+ ms, [\d.]+ s ago$/);
          assert.equal(record.attributes['thread.name'], 'main');
          assert.match(String(record.body), /^The event loop has been blocked for [\d.]+ s by fs\.readFileSync \(/);
        }
        assertDoubling(reports, truth.startedAt);
        assert.equal(reports[0]!.severity, 'WARN');
        // nobody reports a loop that goes on
        const atMost = 1 + Math.floor(Math.log2((truths[1].ms + 100) / AFTER_MS));
        assert.ok(reportsOf(receiver).length <= atMost, `${reportsOf(receiver).length} reports in ${truths[1].ms} ms`);
        // on a machine that is short of CPUs, what the thread did not see is not known
        assert.equal(reports.at(-1)!.attributes['event_loop.stall.cause'], 'native_wait');
      }));

    test('in JavaScript is reported with function, stack and active span', async () => {
      receiver.logs.length = 0;
      const { program, truth, release } = await stuck(node, 'busy', receiver);
      const reports = await receiver.waitFor(() => atLeast(REPORTS, reportsOf(receiver)));
      release();
      assert.equal((await program.done).code, 0);
      assertDoubling(reports, truth.startedAt);
      const named = reports.filter((record) => record.spanId === truth.spanId && record.traceId === truth.traceId);
      assert.ok(named.length >= REPORTS - 1, JSON.stringify(reports.map((record) => record.attributes)));
      for (const record of named) {
        const { attributes } = record;
        assert.match(String(attributes['code.function.name']), /^(spin|busy|spinUntilReleased)$/);
        assert.match(String(attributes['code.file.path']), /programs[\\/](lib|still-blocked)\.mjs$/);
        assert.match(String(attributes['code.stacktrace']), /at spinUntilReleased \(.*still-blocked\.mjs:\d+:\d+\)/);
        assert.ok(Number(attributes['event_loop.sample.age']) >= 0);
        assert.match(String(attributes['event_loop.stall.cause']), /^(cpu|starved)$/);
      }
    });

    test('exports its true lag, in the series of its own gauge', async () => {
      receiver.metrics.length = 0;
      const { program, truth, release } = await stuck(node, 'busy', receiver);
      const during = await receiver.waitFor(() => {
        const points = lags(receiver).filter((point) => point.timeMs > truth.startedAt + AFTER_MS);
        return atLeast(4, points)?.slice(0, 4);
      });
      release();
      assert.equal((await program.done).code, 0);
      for (const point of during) {
        const elapsed = point.timeMs - truth.startedAt;
        assert.ok(point.value * 1e3 <= elapsed + 50, `${point.value} s, ${elapsed} ms after the beginning`);
        assert.ok(point.value * 1e3 >= elapsed / 2, `${point.value} s, ${elapsed} ms after the beginning`);
      }
      const values = during.map((point) => point.value);
      assert.deepEqual(
        values,
        [...values].sort((a, b) => a - b),
      );
      const own = await receiver.waitFor(() => lags(receiver).find((point) => point.timeMs < truth.startedAt));
      for (const { value, timeMs, ...series } of during) {
        const { value: _, timeMs: __, ...ownSeries } = own;
        assert.deepEqual(series, ownSeries);
      }
    });

    test('and killed in the midst of it leaves its last words', async () => {
      receiver.logs.length = receiver.metrics.length = receiver.spans.length = 0;
      const { program, truth } = await stuck(node, 'hang', receiver);
      const report = await receiver.waitFor(() => reportsOf(receiver)[0]);
      const lag = await receiver.waitFor(() => lags(receiver).find((point) => point.value * 1e3 >= AFTER_MS));
      program.kill('SIGKILL');
      assert.equal((await program.done).signal, 'SIGKILL');
      assert.equal(report.traceId, truth.traceId);
      assert.equal(report.spanId, truth.spanId);
      assert.equal(report.attributes['event_loop.blocked.section'], 'Atomics.wait');
      assert.equal(report.resource['service.name'], 'still-blocked.mjs');
      assert.equal(report.resource['process.pid'], program.pid);
      assert.deepEqual(lag.resource, report.resource);
      assert.equal(
        receiver.spans.find((span) => span.spanId === truth.spanId),
        undefined,
        'there is nothing else',
      );
    });

    test('says so on stderr as well, where that is asked for, while it lasts', async () => {
      const { program, truth, release } = await stuck(node, 'native', receiver, { LOOPBLAME_STDERR: 'true' });
      const [line] = await program.waitForOutput(/^loopblame event_loop\.still_blocked .*$/m, 'stderr');
      release();
      assert.equal((await program.done).code, 0);
      const fields = Object.fromEntries(
        [...line.matchAll(/(\w+)=("[^"]*"|\S+)/g)].map(([, name, value]) => [name, value]),
      );
      assert.equal(fields['trace_id'], truth.traceId);
      assert.equal(fields['span_id'], truth.spanId);
      assert.equal(fields['section'], 'fs.readFileSync');
      assert.equal(fields['pid'], `${program.pid}`);
      assert.equal(fields['service'], 'still-blocked.mjs');
      assert.ok(Number.parseFloat(fields['duration']!) * 1e3 >= AFTER_MS);
    });

    test('ages in the heartbeat file, which is young again when it goes on, and gone at the end', async () => {
      const path = newFile();
      const { program, release } = await stuck(node, 'native', receiver, {
        LOOPBLAME_HEARTBEAT_FILE: `${path}-{pid}`,
        LOOPBLAME_STILL_BLOCKED_AFTER_MS: '0',
      });
      const file = `${path}-${program.pid}`;
      const age = await until(
        () => read(file),
        (ms) => ms >= 1000,
      );
      await until(
        () => read(file),
        (ms) => ms >= age + 900,
      );
      release();
      const { code, stderr } = await program.done;
      assert.equal(code, 0, stderr);
      assert.equal(stderr, '');
      assert.equal(existsSync(file), false);
    });

    test('is reported with what stands at its door', { skip: notLinux }, async () => {
      receiver.logs.length = 0;
      const file = newFile();
      execFileSync('mkfifo', [file]);
      const args = ['door', file];
      const program = startProgram('still-blocked.mjs', { node: node.execPath, receiver, args, env: env() });
      const [, port] = await program.waitForOutput(/^port (\d+)$/m);
      const accepted = connect(Number(port), '127.0.0.1');
      await program.waitForOutput(/accepted/);
      await program.waitForOutput(/TRUTH/);
      accepted.write('a request');
      const unaccepted = connect(Number(port), '127.0.0.1', () => unaccepted.write('another one'));
      const report = await receiver.waitFor(() =>
        reportsOf(receiver).find(({ attributes }) => attributes['event_loop.stall.unread'] === 2),
      );
      assert.equal(report.attributes['event_loop.stall.accept_queue'], 1);
      for (const socket of [accepted, unaccepted]) socket.on('error', () => {}).destroy();
      writeFileSync(file, 'go on');
      assert.equal((await program.done).code, 0);
    });

    test('is reported under --permission too; what is not granted is said once', async () => {
      receiver.logs.length = 0;
      const flag = node.name === 'Node 20' ? '--experimental-permission' : '--permission';
      const { program, truth, release } = await stuck(node, 'busy', receiver, { LOOPBLAME_HEARTBEAT_FILE: newFile() }, [
        flag,
        '--allow-worker',
        '--allow-fs-read=*',
        '--no-warnings',
      ]);
      const reports = await receiver.waitFor(() => atLeast(REPORTS, reportsOf(receiver)));
      release();
      const { code, stderr } = await program.done;
      assert.equal(code, 0, stderr);
      assert.equal(reports.at(-1)!.attributes['code.function.name'], undefined, 'without the inspector');
      assertDoubling(reports, truth.startedAt);
      const said = stderr.match(/^loopblame: .*$/gm) ?? [];
      assert.equal(
        said.filter((line) => /no heartbeat file: the permission model does not grant/.test(line)).length,
        1,
        stderr,
      );
    });

    test('of a span that is sampled out is reported with its ids all the same', async () => {
      receiver.logs.length = 0;
      const { program, truth, release } = await stuck(node, 'native', receiver, { OTEL_TRACES_SAMPLER: 'always_off' });
      const report = await receiver.waitFor(() => reportsOf(receiver)[0]);
      release();
      assert.equal((await program.done).code, 0);
      assert.equal(truth.traceFlags, 0);
      assert.deepEqual([report.traceId, report.spanId], [truth.traceId, truth.spanId]);
      assert.equal(report.resource['service.name'], 'still-blocked.mjs');
    });
  });

  describe(`what is no loop that is still blocked on ${node.name}`, { skip: node.skip }, () => {
    let receiver: Receiver;
    before(async () => {
      receiver = await startReceiver();
    });
    after(() => receiver.close());

    const run = (args: string[], over: NodeJS.ProcessEnv) =>
      runProgram('still-blocked.mjs', { node: node.execPath, receiver, args, env: over });

    test('blocks under the limit are not reported', () =>
      retry(3, async () => {
        receiver.logs.length = 0;
        const { code, stderr, truth } = await run(['short', newFile()], {});
        assert.equal(code, 0, stderr);
        assert.ok(
          truth.every(({ ms }) => ms < 900),
          'nor was it starved',
        );
        assert.deepEqual(receiver.logs, []);
      }));

    test("a debugger's pause is expected", () =>
      retry(3, async () => {
        receiver.logs.length = 0;
        const { code, stderr } = await runProgram('debugger.mjs', { node: node.execPath, receiver, env: env() });
        assert.equal(code, 0, stderr);
        const [report] = reportsOf(receiver);
        assert.equal(report?.severity, 'INFO');
        assert.equal(report.attributes['event_loop.blocked.expected'], 'debugger');
      }));

    test('a process that was stopped is not reported', () =>
      retry(3, async () => {
        receiver.logs.length = 0;
        const file = newFile();
        const program = startProgram('still-blocked.mjs', {
          node: node.execPath,
          receiver,
          args: ['ticks', file],
          env: { LOOPBLAME_STILL_BLOCKED_AFTER_MS: '500' },
        });
        await program.waitForOutput(/ready/);
        for (let i = 0; i < 3; i++) {
          await sleep(200);
          program.kill('SIGSTOP');
          await sleep(1000);
          program.kill('SIGCONT');
        }
        await sleep(200);
        writeFileSync(file, '');
        const { code, stderr } = await program.done;
        assert.equal(code, 0, stderr);
        assert.deepEqual(
          receiver.logs.map((record) => record.attributes),
          [],
        );
      }));
  });

  describe(`an idle process on ${node.name}`, { skip: node.skip || notLinux }, () => {
    test('wakes no more often for it', () =>
      retry(3, async () => {
        const quiet = { OTEL_TRACES_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' };
        const without = await wakeUps(node, { ...quiet, LOOPBLAME_STILL_BLOCKED_AFTER_MS: '0' });
        const withAll = await wakeUps(node, {
          ...quiet,
          LOOPBLAME_STILL_BLOCKED_AFTER_MS: '100',
          LOOPBLAME_HEARTBEAT_FILE: newFile(),
        });
        // some five a second: a timer of a tenth of a second would make it three times as many
        assert.ok(withAll < 1.5 * without + 10, `${withAll} against ${without}`);
      }));
  });

  describe(`a collector on ${node.name}`, { skip: node.skip }, () => {
    test('that is away changes nothing for the application', async () => {
      const closed = createServer().listen(0, '127.0.0.1');
      await once(closed, 'listening');
      const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
      closed.close();
      // with its retries of metrics, the SDK itself would keep the process for long
      const soon = { OTEL_METRIC_EXPORT_INTERVAL: '60000', OTEL_EXPORTER_OTLP_TIMEOUT: '1000' };
      const { program, release } = await stuck(node, 'native', { url }, soon);
      await sleep(5 * AFTER_MS);
      release();
      const { code, stderr, stdout } = await program.done;
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
      assert.match(stdout, /over/);
    });

    test('that never answers does not keep the process', async () => {
      let reports = 0;
      const server = createServer((request, response) => {
        if (request.url === '/v1/logs') reports++;
        else request.resume().on('end', () => response.end('{}'));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const { program, release } = await stuck(node, 'native', { url });
      await until(
        () => reports,
        (count) => count >= 2,
      );
      release();
      await program.waitForOutput(/over/);
      const released = performance.now();
      const { code, stderr } = await program.done;
      const took = performance.now() - released;
      server.closeAllConnections();
      server.close();
      assert.equal(code, 0, stderr);
      assert.ok(took < 8000, `${took} ms: a request may take 10 s`);
    });
  });
}
