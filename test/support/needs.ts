import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { postgresIsMissing } from './postgres.ts';

/** For node:test's `skip` option: false, or why the test cannot run on this machine. */
type Skip = false | string;

export const needs = {
  nodeRdkafka: once(() => nativeClient('node-rdkafka')),
  betterSqlite3: once(() => nativeClient('better-sqlite3')),
  postgres: once(postgresIsMissing),
  ipv6: once(() => (hasAddress('::1') ? false : 'this machine has no IPv6')),
};

const hasAddress = (wanted: string): boolean =>
  Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === wanted));

function nativeClient(name: string): Skip {
  // in another process: a native client that is loaded here stays, with its libraries
  const code = `require(${JSON.stringify(name)})`;
  const { status } = spawnSync(process.execPath, ['-e', code], { cwd: fileURLToPath(new URL('.', import.meta.url)) });
  return status === 0 ? false : `${name} is not compiled for this Node: node scripts/native.mjs`;
}

function once<T>(compute: () => T): () => T {
  let known: { value: T } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}
