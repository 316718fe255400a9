import { isMainThread } from 'node:worker_threads';
import { DiagConsoleLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { clients } from '../clients/index.ts';
import { EventLoopInstrumentation } from '../instrumentation.ts';
import { hasLogger, logInfo, showWarnings, warnOnce } from '../log.ts';
import { flushAtExit } from './exit.ts';
import { hookImports } from './hooks.ts';
import { flushProviders, loadSdk, sdkIsRegistered } from './sdk.ts';

const INSTALL = 'npm install @opentelemetry/sdk-node @opentelemetry/instrumentation-http';

/** It may be loaded from ESM and from CommonJS, and be named twice: these are different modules. */
const REGISTERED = Symbol.for('loopblame.registered');
const globals = globalThis as { [REGISTERED]?: boolean };

/** `loopblame/register`: joins the SDK that is registered, or starts one. Never throws: the application must run. */
export function register(): void {
  // Workers inherit --import and --require; their loops are not watched.
  if (!isMainThread || globals[REGISTERED]) return;
  globals[REGISTERED] = true;
  showWarnings();
  try {
    if (isDisabled()) logInfo('OTEL_SDK_DISABLED is set: nothing is started');
    else if (sdkIsRegistered()) attach();
    else start();
  } catch (error) {
    warnOnce('register', 'nothing is measured, because starting failed', error);
  }
}

function attach(): void {
  tryToHookImports([]);
  const instrumentation = new EventLoopInstrumentation();
  registerInstrumentations({ instrumentations: [instrumentation] });
  process.prependOnceListener('beforeExit', () => instrumentation.settle());
  logInfo('attached to the SDK that is already registered');
}

function start(): void {
  const endEarlyLog = logEarly();
  const sdk = loadSdk();
  if (!sdk) {
    warnOnce('sdk', `nothing is measured, because no OpenTelemetry SDK is installed: ${INSTALL}`);
    return;
  }
  tryToHookImports(sdk.http ? ['http', 'https'] : []);
  const instrumentation = new EventLoopInstrumentation();
  endEarlyLog();
  const started = sdk.start([instrumentation, ...(sdk.http ? [sdk.http] : [])]);
  flushAtExit({
    settle: () => instrumentation.settle(),
    flush: flushProviders,
    shutdown: () => started.shutdown(),
    maxWaitMs: exportTimeoutMs(),
  });
  logInfo(`started an SDK that exports as the OTEL_* variables say, ${sdk.http ? 'with' : 'without'} HTTP spans`);
}

function tryToHookImports(alsoOf: readonly string[]): void {
  try {
    hookImports([...clients.filter((client) => !client.builtin).map((client) => client.module), ...alsoOf]);
  } catch (error) {
    warnOnce('imports', 'packages that are loaded by import are not patched, only by require', error);
  }
}

function isDisabled(): boolean {
  return process.env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true';
}

/** The SDK makes its logger only when it is constructed: what is said before would be lost. */
function logEarly(): () => void {
  const level = process.env['OTEL_LOG_LEVEL']?.trim().toUpperCase();
  if (!level || !(level in DiagLogLevel) || hasLogger()) return () => {};
  diag.setLogger(new DiagConsoleLogger(), DiagLogLevel[level as keyof typeof DiagLogLevel]);
  return () => diag.disable();
}

/** How long one export may take, by the standard variables and their default. */
function exportTimeoutMs(): number {
  const given = ['OTEL_EXPORTER_OTLP_TIMEOUT', 'OTEL_BSP_EXPORT_TIMEOUT']
    .map((name) => Number(process.env[name] || Number.NaN))
    .filter((ms) => Number.isFinite(ms) && ms > 0);
  return Math.min(10_000, ...given);
}
