import { isMainThread } from 'node:worker_threads';
import { DiagConsoleLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { clients } from '../clients/index.ts';
import { resolveConfig } from '../config.ts';
import { EventLoopInstrumentation } from '../instrumentation.ts';
import { hasLogger, logInfo, showWarnings, warnOnce } from '../log.ts';
import { positive } from '../otel-env.ts';
import { sendAtExit } from './exit.ts';
import { hookImports } from './hooks.ts';
import { isSdkRegistered, type LoadedSdk, loadSdk } from './sdk.ts';

const INSTALL = 'npm install @opentelemetry/sdk-node @opentelemetry/instrumentation-http';

/** How long the end of the process may wait for the last export, unless the standard variables say it. */
const MAX_WAIT_MS = 5_000;

const UNWATCHED =
  'this worker thread has no SDK, so its loop is not watched: LOOPBLAME_WORKER_THREADS=true starts one in each';

/** It may be named twice, and be loaded as ESM and as CommonJS, which are different modules. */
const REGISTERED = Symbol.for('loopblame.registered');
const globals = globalThis as { [REGISTERED]?: boolean };

/** `loopblame/register`: joins the SDK that is registered, or starts one. Never throws: the application is to run. */
export function register(): void {
  if (globals[REGISTERED]) return;
  globals[REGISTERED] = true;
  showWarnings();
  const endEarlyLog = logEarly();
  try {
    if (isDisabled()) logInfo('OTEL_SDK_DISABLED is set: nothing is started');
    else if (isSdkRegistered()) attach();
    // Worker threads inherit --import and --require.
    else if (!isMainThread && !resolveConfig().workerThreads) logInfo(UNWATCHED);
    else {
      // Before anything is measured: it takes longer than most blocks.
      const sdk = loadSdk();
      if (sdk) start(sdk, endEarlyLog);
      else warnOnce('sdk', `no OpenTelemetry SDK is installed, so nothing is measured: ${INSTALL}`);
    }
  } catch (error) {
    warnOnce('register', 'starting failed, so nothing is measured', error);
  } finally {
    endEarlyLog();
  }
}

function attach(): void {
  patchImports([]);
  const instrumentation = new EventLoopInstrumentation();
  registerInstrumentations({ instrumentations: [instrumentation] });
  // before the SDK's own listener, which shuts it down
  process.prependListener('beforeExit', () => settle(instrumentation));
  logInfo('attached to the SDK that is already registered');
}

function start(sdk: LoadedSdk, endEarlyLog: () => void): void {
  patchImports(sdk.http ? ['http', 'https'] : []);
  const instrumentation = new EventLoopInstrumentation();
  endEarlyLog();
  const { flush, flushSpans, shutdown } = sdk.start([instrumentation, ...(sdk.http ? [sdk.http] : [])]);
  sendAtExit({
    settle: () => settle(instrumentation),
    flush,
    flushSpans,
    shutdown: once(shutdown),
    maxWaitMs: maxWaitMs(),
  });
  logInfo(
    `started an SDK, ${sdk.http ? 'with' : 'without'} HTTP instrumentation; OTEL_* variables say where it exports`,
  );
}

function settle(instrumentation: EventLoopInstrumentation): void {
  try {
    instrumentation.settle();
  } catch (error) {
    warnOnce('settle', 'the last stalls are not counted', error);
  }
}

function patchImports(alsoOf: readonly string[]): void {
  const packages = clients.filter((client) => !client.builtin).map((client) => client.module);
  try {
    hookImports([...packages, ...alsoOf]);
  } catch (error) {
    warnOnce('imports', 'what is loaded by import is not patched, only what is loaded by require', error);
  }
}

function isDisabled(): boolean {
  return process.env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true';
}

/** The SDK sets its logger only when it is made, and complains of another one: what is said before would be lost. */
function logEarly(): () => void {
  const level = DiagLogLevel[process.env['OTEL_LOG_LEVEL']?.trim().toUpperCase() as keyof typeof DiagLogLevel];
  if (typeof level !== 'number' || hasLogger()) return () => {};
  diag.setLogger(new DiagConsoleLogger(), level);
  return once(() => diag.disable());
}

function maxWaitMs(): number {
  const given = ['OTEL_EXPORTER_OTLP_TIMEOUT', 'OTEL_BSP_EXPORT_TIMEOUT']
    .map((name) => positive(process.env[name]))
    .filter((ms) => ms !== undefined);
  return given.length > 0 ? Math.min(...given) : MAX_WAIT_MS;
}

function once<T>(act: () => T): () => T {
  let result: { value: T } | undefined;
  return () => {
    result ??= { value: act() };
    return result.value;
  };
}
