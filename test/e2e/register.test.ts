import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { type App, makeApp, REQUIRED } from '../support/app.ts';
import { node24, nodes } from '../support/nodes.ts';
import type { Span } from '../support/otlp.ts';
import { type ProgramOptions, type ProgramResult, runProgram, startProgram } from '../support/program.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { stallsOf } from '../support/spans.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** What arrives was sent when the process ended. */
const AT_THE_END = {
  OTEL_BSP_SCHEDULE_DELAY: '600000',
  OTEL_METRIC_EXPORT_INTERVAL: '600000',
  OTEL_METRIC_EXPORT_TIMEOUT: '5000',
};
/** On a busy machine each sample takes long, and a warning would say so. */
const ANY_COST = { LOOPBLAME_OVERHEAD_BUDGET: '1' };
const INFO = { OTEL_LOG_LEVEL: 'info' };

let receiver: Receiver;

/** On a machine that is short of CPUs nobody can tell who held the loop, so no span is marked: that is tried anew. */
class NotMarked extends Error {}

const test = (name: string, body: () => Promise<void>) =>
  it(name, async () => {
    for (let left = 4; ; left--) {
      receiver = await startReceiver();
      try {
        return await body();
      } catch (error) {
        if (!(error instanceof NotMarked) || left === 0) throw error;
      } finally {
        await receiver.close();
      }
    }
  });

/** The request's span, with what the program measured of it. */
function assertMarked({ ms, spanId }: { ms: number; spanId: string }): Span {
  const span = receiver.spans.find((received) => received.spanId === spanId);
  assert.ok(span, `the span of the block has arrived, of ${receiver.spans.length}`);
  const { 'event_loop.blocked': blocked, 'event_loop.blocked.duration': duration } = span.attributes;
  const blockedMs = Number(duration) * 1e3;
  // at least what it slept; at most what the span did besides, of which a busy machine makes much
  const isRight = blockedMs >= 0.9 * Math.min(ms, 150) && blockedMs <= span.endMs - span.startMs + 30;
  if (blocked !== true || !isRight) throw new NotMarked(`${ms} ms are marked as ${JSON.stringify(span.attributes)}`);
  assert.equal(span.attributes['event_loop.blocked.count'], 1);
  return span;
}

/** The block is in the metrics. */
function assertCounted(ms: number): void {
  const points = receiver.metrics.filter((point) => point.name === 'event_loop.blocked.duration');
  const isCounted = points.some((point) => point.type === 'histogram' && point.max * 1e3 >= 0.9 * Math.min(ms, 150));
  assert.ok(isCounted, `the block is counted, in ${receiver.metrics.length} points`);
}

function assertEnded(result: ProgramResult, code: number | null, signal: NodeJS.Signals | null = null): void {
  assert.deepEqual([result.code, result.signal], [code, signal], result.stderr);
  assert.equal(result.stderr, '');
}

for (const node of nodes) {
  describe(`loopblame/register on ${node.name}`, { skip: node.skip }, () => {
    const run = (name: string, options: ProgramOptions = {}) =>
      runProgram(name, { node: node.execPath, receiver, ...options, env: { ...ANY_COST, ...options.env } });

    for (const register of ['import', 'require'] as const) {
      for (const program of ['serve.mjs', 'serve.cjs']) {
        test(`--${register}: ${program} ends by itself, and its block has been sent`, async () => {
          const result = await run(program, { register, env: AT_THE_END });
          assertEnded(result, 0);
          const span = assertMarked(result.truth[0]);
          assert.equal(span.scope, '@opentelemetry/instrumentation-http');
          assert.equal(span.kind, 'SERVER');
          assert.match(String(span.attributes['code.file.path']), /test\/programs\/serve\.cjs$/);
          assert.equal(span.attributes['event_loop.blocked.section'], 'Atomics.wait');
          assertCounted(result.truth[0].ms);
        });
      }
    }

    for (const signal of SIGNALS) {
      const stop = async (arg: string, env: NodeJS.ProcessEnv = AT_THE_END) => {
        const program = startProgram('serve.mjs', {
          node: node.execPath,
          receiver,
          args: [arg],
          env: { ...ANY_COST, ...env },
        });
        await program.waitForOutput(/served/);
        program.kill(signal);
        return program.done;
      };

      test(`${signal} ends the process as ever, after what it had has been sent`, async () => {
        const result = await stop('--stay');
        assertEnded(result, null, signal);
        assertMarked(result.truth[0]);
        assertCounted(result.truth[0].ms);
      });

      test(`${signal} is the application's where it listens, and what it does until its exit is sent`, async () => {
        const result = await stop('--graceful');
        assertEnded(result, 7);
        assert.equal(result.truth.length, 2);
        for (const truth of result.truth) assertMarked(truth);
      });

      test(`${signal} ends the process where another listener asks whether it is alone`, async () => {
        assertEnded(await stop('--careful'), null, signal);
      });
    }

    test('sends what an application does that goes on when its loop was empty', async () => {
      const result = await run('serve.mjs', { args: ['--more'], env: AT_THE_END });
      assertEnded(result, 0);
      assert.equal(result.truth.length, 2);
      for (const truth of result.truth) assertMarked(truth);
    });

    for (const how of ['import', 'require'] as const) {
      test(`--${how}: attaches to auto-instrumentations' SDK, and starts nothing`, async () => {
        const nodeArgs = [`--${how}`, '@opentelemetry/auto-instrumentations-node/register'];
        const result = await run('serve.cjs', { register: how, nodeArgs, env: { ...AT_THE_END, ...INFO } });
        assert.equal(result.code, 0, result.stderr);
        assert.match(result.stdout, /loopblame attached to the SDK that is already registered/);
        assert.doesNotMatch(result.stdout + result.stderr, /duplicate registration|started an SDK/);
        assertMarked(result.truth[0]);
        assertCounted(result.truth[0].ms);
        assert.equal(receiver.spans.filter(({ kind }) => kind === 'SERVER').length, 1, 'each span is made once');
      });
    }

    for (const program of ['own-sdk.mjs', 'own-sdk.cjs']) {
      test(`${program}: an SDK of the application's own`, async () => {
        const result = await run(program, { register: 'none', env: AT_THE_END });
        assertEnded(result, 0);
        assertMarked(result.truth[0]);
        assertCounted(result.truth[0].ms);
      });

      test(`${program}: marks no span twice where register has been there before`, async () => {
        const result = await run(program, { env: { ...AT_THE_END, OTEL_LOG_LEVEL: 'warn' } });
        assert.equal(result.code, 0, result.stderr);
        assert.match(result.stderr, /another EventLoopInstrumentation already watches this process/);
        const span = assertMarked(result.truth[0]);
        assert.equal(stallsOf(span, receiver.spans).length, 1);
      });
    }

    test('leaves the exit code alone: process.exit() while the loop is held', async () => {
      assertEnded(await run('serve.mjs', { args: ['--exit'] }), 5);
    });

    test('leaves the exit code alone: an exception that nobody catches', async () => {
      const result = await run('serve.mjs', { args: ['--throw'] });
      assert.equal(result.code, 1);
      assert.match(result.stderr, /^Error: thrown by the program$/m);
      assert.doesNotMatch(result.stderr, /loopblame|debugger/);
    });

    test('does not keep a process that has nothing to do', async () => {
      assertEnded(await run('nothing.mjs'), 0);
    });

    test('starts nothing in worker threads', async () => {
      const result = await run('workers.mjs');
      assertEnded(result, 0);
      const main = result.truth.find((facts) => facts.isMainThread);
      const worker = result.truth.find((facts) => !facts.isMainThread);
      assert.match(worker.execArgv.join(' '), /register\.js/, 'the worker has inherited --import');
      assert.equal(worker.provider, 'NoopTracerProvider');
      assert.equal(worker.isParsePatched, false);
      assert.notEqual(main.provider, 'NoopTracerProvider');
    });

    test('starts in each cluster worker', async () => {
      const result = await run('cluster.cjs', { register: 'require', env: AT_THE_END });
      assertEnded(result, 0);
      const served = result.truth.filter((facts) => facts.ms);
      assert.equal(served.length, 2);
      for (const { pid, ...truth } of served) assert.equal(assertMarked(truth as never).resource['process.pid'], pid);
    });
  });
}

describe('loopblame/register', () => {
  const run = (name: string, options: ProgramOptions = {}) =>
    runProgram(name, { receiver, ...options, env: { ...ANY_COST, ...options.env } });

  test('does nothing more when it is loaded twice', async () => {
    const nodeArgs = ['--require', './listeners.cjs', '--require', '../../dist/register.cjs'];
    const result = await run('nothing.mjs', { nodeArgs, env: INFO });
    assertEnded(result, 0);
    assert.equal(result.stdout.match(/started an SDK/g)?.length, 1);
    assert.deepEqual(result.truth, [{ SIGTERM: 1, SIGINT: 1 }]);
  });

  test('says what it started, in one line', async () => {
    const result = await run('nothing.mjs', { env: INFO });
    assertEnded(result, 0);
    assert.match(result.stdout, /^loopblame started an SDK, with HTTP instrumentation; .*$/m);
  });

  test('is silent without OTEL_LOG_LEVEL', async () => {
    const result = await run('nothing.mjs');
    assertEnded(result, 0);
    assert.equal(result.stdout, '');
  });

  describe('a bad environment variable', () => {
    const bad = { LOOPBLAME_BLOCKED_THRESHOLD_MS: 'soon' };
    const sentence = /LOOPBLAME_BLOCKED_THRESHOLD_MS must be a number from 5 to 60,000, not "soon": using 20/g;

    test('is told once on stderr, and its default used', async () => {
      const result = await run('serve.cjs', { env: { ...AT_THE_END, ...bad } });
      assert.equal(result.code, 0);
      assert.equal(result.stderr.trim().split('\n').length, 1, result.stderr);
      assert.equal(result.stderr.match(sentence)?.length, 1, result.stderr);
      assertMarked(result.truth[0]);
    });

    test('is told once by the diagnostic logger, as OTEL_LOG_LEVEL has it', async () => {
      const warned = await run('nothing.mjs', { env: { ...bad, OTEL_LOG_LEVEL: 'warn' } });
      assert.equal(warned.stderr.match(sentence)?.length, 1, warned.stderr);
      const silenced = await run('nothing.mjs', { env: { ...bad, OTEL_LOG_LEVEL: 'none' } });
      assert.equal(silenced.stderr, '');
    });
  });

  describe('the standard variables', () => {
    const serve = async (env: NodeJS.ProcessEnv) => {
      const result = await run('serve.cjs', { env: { ...AT_THE_END, ...env } });
      assert.equal(result.code, 0, result.stderr);
      return result;
    };

    test('OTEL_SDK_DISABLED: nothing is started', async () => {
      const result = await run('workers.mjs', { env: { OTEL_SDK_DISABLED: 'true' } });
      assertEnded(result, 0);
      assert.equal(result.truth[0].provider, 'NoopTracerProvider');
      assert.equal(result.truth[0].isParsePatched, false);
      assert.deepEqual(receiver.metrics, []);
    });

    test('OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf where it says nothing', async () => {
      await serve({ OTEL_EXPORTER_OTLP_PROTOCOL: '' });
      for (const path of ['/v1/traces', '/v1/metrics']) {
        const refused = `POST ${path}: content type application/x-protobuf instead of http/json`;
        assert.ok(receiver.refused.includes(refused), receiver.refused.join());
      }
    });

    test('OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES: the resource of spans and metrics', async () => {
      await serve({ OTEL_SERVICE_NAME: 'shop', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' });
      assert.ok(receiver.spans.length > 0 && receiver.metrics.length > 0);
      for (const { resource } of [...receiver.spans, ...receiver.metrics]) {
        assert.equal(resource['service.name'], 'shop');
        assert.equal(resource['deployment.environment.name'], 'test');
      }
    });

    test('OTEL_TRACES_EXPORTER=none: metrics alone', async () => {
      await serve({ OTEL_TRACES_EXPORTER: 'none' });
      assert.deepEqual(receiver.spans, []);
      assert.ok(receiver.metrics.some(({ name }) => name === 'event_loop.lag'));
    });

    test('OTEL_METRICS_EXPORTER=none: spans alone', async () => {
      const { truth } = await serve({ OTEL_METRICS_EXPORTER: 'none' });
      assertMarked(truth[0]);
      assert.deepEqual(receiver.metrics, []);
    });

    test('OTEL_TRACES_EXPORTER=console', async () => {
      const { stdout } = await serve({ OTEL_TRACES_EXPORTER: 'console' });
      assert.match(stdout, /'event_loop\.blocked': true/);
      assert.deepEqual(receiver.spans, []);
    });

    test('OTEL_TRACES_SAMPLER: spans that are sampled out are counted all the same', async () => {
      const { truth } = await serve({ OTEL_TRACES_SAMPLER: 'always_off' });
      assert.deepEqual(receiver.spans, []);
      assertCounted(truth[0].ms);
      const blocked = receiver.metrics.find(
        ({ name, attributes }) => name === 'event_loop.spans' && attributes['event_loop.blocked'] === true,
      );
      assert.equal(blocked?.type === 'sum' && blocked.value, 1);
    });

    test('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, and a signal of its own that fails', async () => {
      const result = await serve({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/no/such/path` });
      assert.match(receiver.refused.join(), /\/no\/such\/path/);
      assertCounted(result.truth[0].ms);
    });
  });

  describe('a collector that is not there', () => {
    let silent: Server;
    before(() => {
      silent = createServer(() => {}).listen(0, '127.0.0.1');
    });
    after(() => silent.close());
    const collectors = {
      'that nobody runs': () => 'http://127.0.0.1:9',
      'that never answers': () => `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    };

    /** How long it took from the last thing that the program did to the end of the process. */
    async function ending(url: string, env: NodeJS.ProcessEnv, signal?: NodeJS.Signals) {
      const args = signal ? ['--stay'] : [];
      const program = startProgram('serve.cjs', {
        receiver: { url },
        args,
        env: { ...ANY_COST, ...AT_THE_END, ...env },
      });
      await program.waitForOutput(/served/);
      const start = performance.now();
      if (signal) program.kill(signal);
      return { ...(await program.done), ms: performance.now() - start };
    }

    for (const [name, url] of Object.entries(collectors)) {
      test(`${name}: the process ends within the export's time limit`, async () => {
        const result = await ending(url(), { OTEL_BSP_EXPORT_TIMEOUT: '1000' });
        assertEnded(result, 0);
        // the exporters alone would try for 8 to 10 seconds
        assert.ok(result.ms < 6000, `${result.ms} ms`);
      });

      test(`${name}: metrics at short intervals do not keep the process`, async () => {
        const result = await ending(url(), {
          OTEL_BSP_EXPORT_TIMEOUT: '1000',
          OTEL_METRIC_EXPORT_INTERVAL: '100',
          OTEL_METRIC_EXPORT_TIMEOUT: '100',
          OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '',
        });
        assertEnded(result, 0);
      });

      test(`${name}: so it does on SIGTERM`, async () => {
        const result = await ending(url(), { OTEL_BSP_EXPORT_TIMEOUT: '1000' }, 'SIGTERM');
        assertEnded(result, null, 'SIGTERM');
        assert.ok(result.ms < 6000, `${result.ms} ms`);
      });
    }

    test('a second SIGINT ends the process at once', async () => {
      const program = startProgram('serve.cjs', {
        receiver: { url: collectors['that never answers']() },
        args: ['--stay'],
        env: { ...ANY_COST, OTEL_EXPORTER_OTLP_TIMEOUT: '50000', OTEL_METRIC_EXPORT_INTERVAL: '60000' },
        timeoutMs: 20_000,
      });
      await program.waitForOutput(/served/);
      program.kill('SIGINT');
      // the first must have been handled: two of a kind that wait are one
      await new Promise((resolve) => setTimeout(resolve, 1000));
      program.kill('SIGINT');
      assertEnded(await program.done, null, 'SIGINT');
    });
  });
});

describe('loopblame/register in an application of its own', () => {
  let app: App | undefined;
  afterEach(() => app?.remove());

  const SDK = ['@opentelemetry/sdk-node', '@opentelemetry/instrumentation-http'];
  const files = { 'app.mjs': "console.log('TRUTH {}'); process.exitCode = 3;" };
  const run = (options: ProgramOptions = {}) =>
    runProgram('app.mjs', {
      receiver,
      folder: app?.folder ?? '',
      register: 'none',
      nodeArgs: ['--import', 'loopblame/register'],
      ...options,
      env: { ...ANY_COST, ...AT_THE_END, ...options.env },
    });

  for (const how of ['--import', '--require']) {
    test(`${how}: says what to install where there is no SDK, and lets the application run`, async () => {
      app = makeApp({ files, packages: REQUIRED });
      const result = await run({ nodeArgs: [how, 'loopblame/register'] });
      assert.equal(result.code, 3);
      assert.equal(result.truth.length, 1);
      assert.equal(
        result.stderr,
        'loopblame: no OpenTelemetry SDK is installed, so nothing is measured: ' +
          'npm install @opentelemetry/sdk-node @opentelemetry/instrumentation-http\n',
      );
    });
  }

  test('starts the SDK that is installed beside it', async () => {
    app = makeApp({ files, packages: [...REQUIRED, ...SDK] });
    const result = await run({ env: INFO });
    assert.equal(result.code, 3, result.stderr);
    assert.match(result.stdout, /started an SDK, with HTTP instrumentation/);
    assert.equal(result.stderr, '');
  });

  test('starts one without HTTP instrumentation where that is not installed', async () => {
    app = makeApp({ files, packages: [...REQUIRED, '@opentelemetry/sdk-node'] });
    const result = await run({ env: INFO });
    assert.match(result.stdout, /started an SDK, without HTTP instrumentation/);
  });

  test("finds the application's SDK where the package is linked into it", async () => {
    app = makeApp({ files, packages: SDK, loopblame: 'link' });
    const result = await run({ env: INFO });
    assert.match(result.stdout, /started an SDK, with HTTP instrumentation/);
    assert.equal(result.stderr, '');
  });

  test('lets the application run where the SDK cannot be loaded', async () => {
    app = makeApp({ files, packages: REQUIRED });
    app.write('node_modules/@opentelemetry/sdk-node/index.js', "throw new Error('broken');");
    const result = await run();
    assert.equal(result.code, 3);
    assert.match(result.stderr, /^loopblame: starting failed, so nothing is measured: Error: broken$/m);
  });
});

describe('loopblame/register under the permission model', { skip: node24.skip }, () => {
  /** Node warns of this flag itself. */
  const worker = ['--allow-worker', '--disable-warning=SecurityWarning'];
  const run = (...grants: string[]) =>
    runProgram('serve.mjs', {
      node: node24.execPath,
      receiver,
      nodeArgs: ['--permission', '--allow-fs-read=*', ...grants],
      env: { ...ANY_COST, ...AT_THE_END },
    });
  const NO_SAMPLES = 'loopblame: no stack samples: the permission model does not grant the inspector';
  const NO_THREAD = /^loopblame: the watchdog thread cannot start: .*--allow-worker/;

  test('says that it has no thread without --allow-worker; patched calls are found all the same', async () => {
    const result = await run();
    assert.equal(result.code, 0, result.stderr);
    const [samples, thread, ...rest] = result.stderr.trim().split('\n');
    assert.equal(samples, NO_SAMPLES);
    assert.match(thread ?? '', NO_THREAD);
    assert.deepEqual(rest, []);
    const span = assertMarked(result.truth[0]);
    assert.equal(span.attributes['event_loop.blocked.section'], 'Atomics.wait');
  });

  test('says that it takes no samples without the inspector', async () => {
    const result = await run(...worker);
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, `${NO_SAMPLES}\n`);
    const span = assertMarked(result.truth[0]);
    assert.equal(span.attributes['event_loop.blocked.section'], 'Atomics.wait');
  });
});
