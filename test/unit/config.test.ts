import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { EventLoopInstrumentation } from 'loopblame';
import {
  acceptedValues,
  DEFAULTS,
  type EventLoopInstrumentationConfig,
  OPTIONS,
  resolveConfig,
} from '../../src/config.ts';

type Name = keyof typeof DEFAULTS;

/** Each number's limits as they are documented: at each the last that is accepted, and the first that is not. */
const LIMITS: Partial<
  Record<Name, { accepted: [min: number, max: number]; rejected: [below: number, above: number] }>
> = {
  blockedThresholdMs: { accepted: [5, 60_000], rejected: [4.999999999999999, 60_000.00000000001] },
  sectionEventMinMs: { accepted: [0, 60_000], rejected: [-Number.MIN_VALUE, 60_000.00000000001] },
  stillBlockedAfterMs: { accepted: [100, 600_000], rejected: [99.99999999999999, 600_000.0000000001] },
  startupGraceMs: { accepted: [0, 600_000], rejected: [-Number.MIN_VALUE, 600_000.0000000001] },
  overheadBudget: { accepted: [0.0001, 1], rejected: [0.00009999999999999999, 1.0000000000000002] },
  maxFunctions: { accepted: [0, 10_000], rejected: [-1, 10_001] },
};
/** Numbers that are turned off by 0. */
const OFF_BY_ZERO = new Set<string>(['stillBlockedAfterMs']);
const INTEGERS = new Set<string>(['maxFunctions']);
const CHOICES: Partial<Record<Name, string[]>> = { stalls: ['event', 'span'] };

const kinds = {
  number: Object.keys(LIMITS),
  choice: Object.keys(CHOICES),
  boolean: ['clientSpans', 'door', 'sampling', 'stderr', 'workerThreads'],
  path: ['heartbeatFile'],
};

const resolve = (options: object, env: Record<string, string> = {}) =>
  resolveConfig(options as EventLoopInstrumentationConfig, env);

function errorsOf(options: object): string[] {
  try {
    resolve(options);
  } catch (error) {
    assert.ok(error instanceof TypeError);
    const [first, ...errors] = error.message.split('\n');
    assert.equal(first, 'loopblame: bad options:');
    return errors.map((line) => line.replace(/^ {2}- /, ''));
  }
  return [];
}

const warnings: string[] = [];
before(() => {
  const ignore = () => {};
  const warn = (_namespace: string, ...message: unknown[]) => void warnings.push(message.join(' '));
  const logger = { error: ignore, warn, info: ignore, debug: ignore, verbose: ignore } as DiagLogger;
  diag.setLogger(logger, DiagLogLevel.WARN);
});
after(() => diag.disable());

describe('an option', () => {
  it('is tested here, whichever it is', () => {
    assert.deepEqual(Object.values(kinds).flat().sort(), OPTIONS.map(({ name }) => name).sort());
  });

  for (const [name, { accepted, rejected }] of Object.entries(LIMITS)) {
    it(`${name} accepts ${accepted.join(' to ')}, and nothing beyond`, () => {
      for (const value of accepted) assert.equal(resolve({ [name]: value })[name as Name], value);
      for (const value of rejected) {
        const [error, ...others] = errorsOf({ [name]: value });
        assert.deepEqual(others, []);
        const off = OFF_BY_ZERO.has(name) ? '0 (off) or ' : '';
        const kind = `${off}${INTEGERS.has(name) ? 'a whole number' : 'a number'}`;
        const range = accepted.map((limit) => limit.toLocaleString('en-US', { maximumFractionDigits: 4 }));
        assert.equal(error, `${name} must be ${kind} from ${range.join(' to ')}, not ${value}`);
      }
    });

    it(`${name} accepts numbers alone`, () => {
      const [min, max] = accepted;
      for (const value of [
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        `${max}`,
        '',
        null,
        true,
        [max],
        {},
        5n,
      ]) {
        assert.equal(errorsOf({ [name]: value }).length, 1, typeof value);
      }
      assert.equal(errorsOf({ [name]: (min + max) / 2 + 0.25 }).length, INTEGERS.has(name) ? 1 : 0);
      assert.equal(errorsOf({ [name]: -0 }).length, min === 0 || OFF_BY_ZERO.has(name) ? 0 : 1);
      assert.equal(errorsOf({ [name]: Number.MIN_VALUE }).length, min === 0 && !INTEGERS.has(name) ? 0 : 1);
    });
  }

  for (const [name, choices] of Object.entries(CHOICES)) {
    it(`${name} accepts ${choices.join(' and ')} alone`, () => {
      for (const choice of choices) assert.equal(resolve({ [name]: choice })[name as Name], choice);
      for (const value of ['', choices[0]?.toUpperCase(), true, 0, null, choices]) {
        assert.match(
          errorsOf({ [name]: value }).join(),
          new RegExp(`^${name} must be '${choices.join("' or '")}', not `),
        );
      }
    });
  }

  for (const name of kinds.path) {
    it(`${name} accepts texts alone`, () => {
      for (const path of ['', '/tmp/a b', 'relative/{pid}'])
        assert.equal(resolve({ [name]: path })[name as Name], path);
      for (const value of [true, 0, null, {}, ['/tmp/a']]) {
        assert.match(errorsOf({ [name]: value }).join(), new RegExp(`^${name} must be a path, not `));
      }
      assert.equal(resolve({}, { LOOPBLAME_HEARTBEAT_FILE: ' /tmp/loop ' }).heartbeatFile, '/tmp/loop');
    });
  }

  for (const name of kinds.boolean) {
    it(`${name} accepts true and false alone`, () => {
      for (const value of [true, false]) assert.equal(resolve({ [name]: value })[name as Name], value);
      for (const value of ['true', 'false', '', 0, 1, null, {}]) {
        assert.match(errorsOf({ [name]: value }).join(), new RegExp(`^${name} must be true or false, not `));
      }
    });
  }

  it('that is undefined has its default', () => {
    assert.deepEqual(resolve(Object.fromEntries(OPTIONS.map(({ name }) => [name, undefined]))), DEFAULTS);
    assert.deepEqual(resolve({}), DEFAULTS);
  });

  it('enabled, of all instrumentations, must be true or false', () => {
    assert.deepEqual(resolve({ enabled: false }), DEFAULTS);
    assert.deepEqual(errorsOf({ enabled: 'no' }), ['enabled must be true or false, not "no"']);
  });
});

describe('bad options', () => {
  it('are told all at once, with names and ranges', () => {
    assert.deepEqual(errorsOf({ blockedThresholdMs: 4, treshold: 20, sampling: 'yes', maxFunctions: 1.5 }), [
      `treshold is not an option (options: enabled, ${OPTIONS.map(({ name }) => name).join(', ')})`,
      'blockedThresholdMs must be a number from 5 to 60,000, not 4',
      'sampling must be true or false, not "yes"',
      'maxFunctions must be a whole number from 0 to 10,000, not 1.5',
    ]);
  });

  it('may be anything, without another error', () => {
    const values = [Symbol('s'), Object.create(null), () => {}, 10n, new Proxy({}, {})];
    for (const value of values) assert.equal(errorsOf({ blockedThresholdMs: value }).length, 1);
    for (const value of [null, 'options', 20])
      assert.throws(() => resolve(value as never), /options must be an object/);
  });

  it('are refused before anything is patched', () => {
    const state = () => ({
      readFileSync: fs.readFileSync,
      parse: JSON.parse,
      wait: Atomics.wait,
      kill: process.kill,
      exitListeners: process.listenerCount('exit'),
      samplers: Reflect.ownKeys(globalThis).filter((key) => String(key).startsWith('Symbol(loopblame.sample')).length,
      threads: fs.existsSync('/proc/self/task') ? fs.readdirSync('/proc/self/task').length : 0,
    });
    const untouched = state();
    assert.throws(() => new EventLoopInstrumentation({ blockedThresholdMs: 4 }), TypeError);
    assert.deepEqual(state(), untouched);

    // good ones change all of it
    const instrumentation = new EventLoopInstrumentation({ blockedThresholdMs: 5 });
    try {
      const touched = state();
      for (const [name, value] of Object.entries(untouched)) {
        if (name !== 'threads' || value !== 0) assert.notEqual(touched[name as keyof typeof touched], value, name);
      }
    } finally {
      instrumentation.disable();
    }
    // its thread ends a little later
    const { threads } = untouched;
    assert.deepEqual({ ...state(), threads }, untouched);
  });
});

describe('an environment variable', () => {
  const byEnv = new Map(OPTIONS.map((option) => [option.env, option]));

  it('is named after its option', () => {
    for (const { name, env } of OPTIONS) {
      assert.equal(env, `LOOPBLAME_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`);
    }
  });

  it('stands in for an option that is not given', () => {
    const env = { LOOPBLAME_BLOCKED_THRESHOLD_MS: ' 50.5 ', LOOPBLAME_SAMPLING: 'FALSE', LOOPBLAME_STALLS: 'span' };
    const resolved = resolve({}, env);
    assert.deepEqual(resolved, { ...DEFAULTS, blockedThresholdMs: 50.5, sampling: false, stalls: 'span' });
    assert.equal(resolve({ sampling: true }, env).sampling, true, 'what the code says goes first');
    assert.deepEqual(resolve({}, { LOOPBLAME_SAMPLING: '', LOOPBLAME_STALLS: '  ' }), DEFAULTS, 'empty is unset');
    assert.deepEqual(warnings, []);
  });

  it('that is bad is logged once, with what it accepts, and its default is used', () => {
    const bad: Record<string, string[]> = {
      LOOPBLAME_BLOCKED_THRESHOLD_MS: ['4.999', '20ms', 'NaN'],
      LOOPBLAME_SECTION_EVENT_MIN_MS: ['-1', 'Infinity'],
      LOOPBLAME_STALLS: ['Span', 'both'],
      LOOPBLAME_STARTUP_GRACE_MS: ['600001', '1,000'],
      LOOPBLAME_CLIENT_SPANS: ['1', 'yes'],
      LOOPBLAME_SAMPLING: ['off', '0'],
      LOOPBLAME_STILL_BLOCKED_AFTER_MS: ['99', 'off'],
      LOOPBLAME_STDERR: ['2', 'on'],
      LOOPBLAME_DOOR: ['on', 'closed'],
      LOOPBLAME_WORKER_THREADS: ['1', 'all'],
      LOOPBLAME_OVERHEAD_BUDGET: ['1%', '0'],
      LOOPBLAME_MAX_FUNCTIONS: ['1.5', '-1'],
    };
    const anyText = OPTIONS.filter(({ isPath }) => isPath).map(({ env }) => env);
    assert.deepEqual([...Object.keys(bad), ...anyText].sort(), [...byEnv.keys()].sort());
    for (const [env, texts] of Object.entries(bad)) {
      const option = byEnv.get(env)!;
      warnings.length = 0;
      for (const text of texts) assert.deepEqual(resolve({}, { [env]: text }), DEFAULTS, `${env}=${text}`);
      const sentence = `${env} must be ${acceptedValues(option)}, not "${texts[0]}": using ${option.default}`;
      assert.deepEqual(warnings, [sentence]);
    }
  });
});
