import child_process from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import v8 from 'node:v8';
import zlib from 'node:zlib';
import { type CallsPatch, type ClientDefinition, defineClient } from '../define.ts';
import { json } from './json.ts';

/**
 * Node's own synchronous calls. A sample cannot name a native call that was a callback's last act (Node 24 and later);
 * a section can, and gives the caller's frame. The list is Node's own: whatever ends in `Sync` in this version.
 */
const syncCalls = (module: object): string[] => Object.keys(module).filter((name) => name.endsWith('Sync'));

const builtin = (
  module: string,
  exports: object,
  patches: readonly (Pick<CallsPatch, 'calls'> & Partial<CallsPatch>)[],
  prefix = `${module}.`,
): ClientDefinition =>
  defineClient({
    module,
    versions: [],
    system: 'nodejs',
    prefix,
    builtin: () => exports,
    // Node's functions call one another by their public names (readFileSync: openSync, readSync, closeSync).
    patches: patches.map((patch) => ({ of: (target) => target, phase: 'call', outermost: true, ...patch })),
  });

export const builtins: readonly ClientDefinition[] = [
  builtin('fs', fs, [
    { calls: syncCalls(fs) },
    { of: ({ Dir }: typeof fs) => Dir.prototype, calls: ['readSync', 'closeSync'] },
  ]),
  builtin('child_process', child_process, [{ calls: syncCalls(child_process), slow: true }]),
  builtin('crypto', crypto, [{ calls: syncCalls(crypto) }]),
  builtin('zlib', zlib, [{ calls: syncCalls(zlib) }]),
  builtin('v8', v8, [{ calls: ['serialize', 'deserialize', 'writeHeapSnapshot', 'getHeapSnapshot'] }]),
  builtin('Atomics', Atomics, [{ calls: ['wait'], slow: true }]),
  builtin('structuredClone', globalThis, [{ calls: ['structuredClone'] }], ''),
  json,
];
