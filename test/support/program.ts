import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { cleanEnv } from './env.ts';

export interface ProgramOptions {
  /** The node binary: see nodes.ts. Default: the one that runs the tests. */
  node?: string;
  /** Where the program exports to: a receiver. Without it nobody listens. */
  receiver?: { url: string };
  /** How the built package is preloaded; `none` for programs that set up their own SDK. Default: `import`. */
  register?: 'import' | 'require' | 'none';
  /** For node itself, before the program. */
  nodeArgs?: string[];
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Where the program is. Default: test/programs. */
  folder?: string;
  /** The copy of the package that is preloaded. Default: the working tree's. See sdk3.ts for another one. */
  packageFolder?: string;
  /** Sends `killSignal` that long after the program's first output: how long it takes to start is no test's matter. */
  killAfterMs?: number;
  killSignal?: NodeJS.Signals;
  /** A program that runs longer is killed and fails the test. */
  timeoutMs?: number;
}

export interface ProgramResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** What the program measured itself: the JSON of each line that it printed as `TRUTH {…}`. */
  // biome-ignore lint/suspicious/noExplicitAny: each program has its own
  truth: any[];
}

export interface Program {
  pid: number;
  /** Resolves with the match as soon as stdout (or stderr) has it: a port, or that a block is about to start. */
  waitForOutput(pattern: RegExp, stream?: 'stdout' | 'stderr'): Promise<RegExpMatchArray>;
  kill(signal?: NodeJS.Signals): void;
  done: Promise<ProgramResult>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs test/programs/NAME to its end. */
export function runProgram(name: string, options: ProgramOptions = {}): Promise<ProgramResult> {
  return startProgram(name, options).done;
}

export function startProgram(name: string, options: ProgramOptions = {}): Program {
  const { node = process.execPath, nodeArgs = [], args = [], timeoutMs = 60_000 } = options;
  const folder = options.folder ?? join(root, 'test/programs');
  const preload = preloadOf(options.packageFolder ?? root, options.register ?? 'import');
  const child = spawn(node, [...nodeArgs, ...preload, name, ...args], {
    cwd: folder,
    env: { ...cleanEnv(), ...exportSettings(name, options.receiver), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child);
  if (options.killAfterMs !== undefined) killAfter(child, options.killAfterMs, options.killSignal ?? 'SIGTERM');

  const done = new Promise<ProgramResult>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${name} still ran after ${timeoutMs} ms\n${output.stdout}${output.stderr}`));
    }, timeoutMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output, truth: truthsIn(output.stdout) });
    });
  });
  // a test that awaits waitForOutput first must not die of a rejection that nobody handles yet
  done.catch(() => {});

  return {
    pid: child.pid ?? 0,
    waitForOutput: (pattern, stream = 'stdout') => waitForOutput(child, output, name, pattern, stream),
    kill: (signal = 'SIGTERM') => child.kill(signal),
    done,
  };
}

function preloadOf(packageFolder: string, register: 'import' | 'require' | 'none'): string[] {
  if (register === 'none') return [];
  if (register === 'import') return ['--import', pathToFileURL(join(packageFolder, 'dist/register.js')).href];
  return ['--require', join(packageFolder, 'dist/register.cjs')];
}

/** Short intervals: what is to be exported arrives while the program still runs. */
function exportSettings(name: string, receiver: { url: string } | undefined): NodeJS.ProcessEnv {
  return {
    OTEL_SERVICE_NAME: name,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '200',
    OTEL_METRIC_EXPORT_TIMEOUT: '200',
    // a slow machine's last export may take longer than the interval
    OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '10000',
    ...(receiver && { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }),
  };
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return output;
}

function killAfter(child: ChildProcess, afterMs: number, signal: NodeJS.Signals): void {
  child.stdout?.once('data', () => {
    const timer = setTimeout(() => child.kill(signal), afterMs);
    child.on('exit', () => clearTimeout(timer));
  });
}

function waitForOutput(
  child: ChildProcess,
  output: { stdout: string; stderr: string },
  name: string,
  pattern: RegExp,
  stream: 'stdout' | 'stderr',
) {
  return new Promise<RegExpMatchArray>((resolve, reject) => {
    const look = () => {
      const match = output[stream].match(pattern);
      if (match) resolve(match);
    };
    child[stream]?.on('data', look);
    child.on('close', () => {
      look();
      reject(new Error(`${name} ended without printing ${pattern}\n${output.stdout}${output.stderr}`));
    });
    look();
  });
}

function truthsIn(stdout: string): unknown[] {
  return [...stdout.matchAll(/^TRUTH (.*)$/gm)].map(([, json]) => JSON.parse(json!));
}
