import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { cleanEnv } from '../../test/support/env.ts';

export interface ProcessOptions {
  loopblame: boolean;
  args?: string[];
  /** All threads of it on this CPU alone. */
  cpu?: number | undefined;
  node?: string | undefined;
  nodeArgs?: string[];
}

/** A program of bench/programs that runs and can be asked. */
export interface BenchProcess<Ready> {
  readonly pid: number;
  /** What it said when it was ready. */
  readonly ready: Ready;
  ask<T>(question: string, argument?: unknown): Promise<T>;
  stop(): Promise<void>;
}

interface Message {
  ready?: unknown;
  id?: number;
  answer?: unknown;
}

/** Starts a program and waits until it is ready. */
export async function startProcess<Ready>(program: string, options: ProcessOptions): Promise<BenchProcess<Ready>> {
  const { loopblame, args = [], cpu, node = process.execPath, nodeArgs = [] } = options;
  const file = fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
  const [command, ...rest] = [
    ...(cpu === undefined ? [] : ['taskset', '-c', String(cpu)]),
    node,
    ...nodeArgs,
    file,
    loopblame ? 'with' : 'without',
    ...args,
  ];
  const child = spawn(command!, rest, { env: cleanEnv(), stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let asked = 0;
  const ready = await readyOf<Ready>(child, program);
  child.on('message', ({ id, answer }: Message) => {
    if (id === undefined) return;
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error(`${program} ended before it had answered`));
  });
  return {
    pid: child.pid!,
    ready,
    ask<T>(question: string, argument?: unknown) {
      const id = asked++;
      child.send({ id, question, argument });
      return new Promise<T>((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      });
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

function readyOf<Ready>(child: ChildProcess, program: string): Promise<Ready> {
  return new Promise((resolve, reject) => {
    child.once('message', ({ ready }: Message) => resolve(ready as Ready));
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`${program} ended (${signal ?? code}) before it was ready`)));
  });
}
