import child_process from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import v8 from 'node:v8';
import zlib from 'node:zlib';
import { type Call, type ClientDefinition, defineClient } from '../define.ts';

/**
 * Node's own synchronous calls. A sample cannot name a native call that was a callback's last act (Node 24 and later);
 * a section can, and gives the caller's frame. Short-lived ones that code calls by the thousand are left alone.
 */

/** Calls that end in microseconds and are made in masses, at start-up above all. */
const LEFT_ALONE = new Set(['existsSync', 'statSync', 'lstatSync', 'fstatSync', 'accessSync', 'closeSync', 'openSync']);

const syncCalls = (module: object): string[] =>
  Object.keys(module).filter((name) => name.endsWith('Sync') && !LEFT_ALONE.has(name));

/** Below this a text is parsed in well under a millisecond. */
const LONG_TEXT = 64 * 1024;
const isLongText = ({ args }: Call): boolean => typeof args[0] === 'string' && args[0].length > LONG_TEXT;

const builtin = (
  module: string,
  exports: object,
  calls: readonly string[],
  rule: { slow?: boolean; prefix?: string; when?: (call: Call) => boolean } = {},
): ClientDefinition =>
  defineClient({
    module,
    versions: [],
    system: 'nodejs',
    prefix: rule.prefix ?? `${module}.`,
    builtin: () => exports,
    patches: [
      {
        of: (target) => target,
        calls,
        phase: 'call',
        slow: rule.slow ?? false,
        ...(rule.when && { when: rule.when }),
      },
    ],
  });

export const builtins: readonly ClientDefinition[] = [
  builtin('fs', fs, syncCalls(fs)),
  builtin('child_process', child_process, syncCalls(child_process), { slow: true }),
  builtin('crypto', crypto, syncCalls(crypto)),
  builtin('zlib', zlib, syncCalls(zlib)),
  builtin('v8', v8, ['serialize', 'deserialize', 'writeHeapSnapshot', 'getHeapSnapshot']),
  builtin('Atomics', Atomics, ['wait'], { slow: true }),
  builtin('JSON', JSON, ['parse'], { when: isLongText }),
  builtin('structuredClone', globalThis, ['structuredClone'], { prefix: '' }),
];
