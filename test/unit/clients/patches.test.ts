import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { beforeEach, describe, it } from 'node:test';
import { type Span, SpanKind, type Tracer } from '@opentelemetry/api';
import type { CallRule, ClientDefinition } from '../../../src/clients/define.ts';
import { patchEvents } from '../../../src/clients/events.ts';
import { ClientTools } from '../../../src/clients/tools.ts';
import { WorkStart } from '../../../src/clients/work-start.ts';
import type { Section, SectionRecorder } from '../../../src/sections/recorder.ts';

const client: ClientDefinition = { module: 'client', versions: [], system: 'test', patches: [] };

/** What was recorded and which spans were made, in order. */
let log: string[];
let isOn: boolean;
let current: Section | undefined;
beforeEach(() => {
  log = [];
  isOn = true;
  current = undefined;
});

const recorder = {
  get innermost() {
    return current;
  },
  run(section: Section, owner: { name?: string } | undefined, call: Function, self: unknown, args: unknown[]) {
    const outer = current;
    current = section;
    log.push(`${section.name}, ${section.phase}, ${owner?.name ?? 'nobody'}`);
    try {
      return Reflect.apply(call, self, args);
    } finally {
      current = outer;
    }
  },
} as unknown as SectionRecorder;

const tracer = {
  startSpan(name: string) {
    log.push(`${name} begins`);
    const attributes: Record<string, unknown> = {};
    const span = {
      name,
      setAttribute: (key: string, value: unknown) => Object.assign(attributes, { [key]: value }),
      setAttributes: (more: object) => Object.assign(attributes, more),
      setStatus: () => {},
      end: () => log.push(`${name} ends${attributes['error.type'] ? `: ${attributes['error.type']}` : ''}`),
    };
    return span as unknown as Span;
  },
} as unknown as Tracer;

const tools = (clientSpans = true) =>
  new ClientTools(client, { recorder: () => (isOn ? recorder : undefined), clientSpans, tracer: () => tracer });
const wrap = (original: Function, rule: Partial<CallRule> = {}, clientSpans = true) =>
  tools(clientSpans).wrapCall(original, 'call', { phase: 'call', ...rule });
const span = (name: string, more = {}) => ({
  kind: SpanKind.CLIENT,
  name: () => name,
  attributes: () => ({}),
  ...more,
});

describe('a patched call', () => {
  it('passes everything through, while we are on and while we are off', () => {
    const self = {};
    const given = [1, {}, undefined];
    const result = {};
    const wrapped = wrap(function (this: unknown, ...args: unknown[]) {
      assert.equal(this, self);
      assert.deepEqual(args, given);
      assert.equal(args[1], given[1]);
      return result;
    });
    assert.equal(wrapped.apply(self, given), result);
    isOn = false;
    assert.equal(wrapped.apply(self, given), result);
    assert.deepEqual(log, ['client call, call, nobody']);
  });

  it('is made once, whatever a rule does', () => {
    const broken = () => {
      throw new Error('of a rule');
    };
    for (const rule of [
      { owner: broken },
      { keep: broken },
      { callback: { owner: broken } },
      { span: span('s', { name: broken }) },
      { span: span('s', { attributes: broken }) },
      { span: span('s', { when: broken }) },
      { span: span('s'), keep: broken },
    ]) {
      let calls = 0;
      wrap(() => calls++, rule)(() => {});
      assert.equal(calls, 1);
    }
  });

  it('throws what it throws, in a span that ends', () => {
    const error = Object.assign(new Error('gone'), { code: 'GONE' });
    const fail = () => {
      throw error;
    };
    for (const ends of ['return', 'callback'] as const) {
      log = [];
      assert.throws(
        () => wrap(fail, { span: span('s', { ends }) })(),
        (thrown) => thrown === error,
      );
      assert.deepEqual(log, ['s begins', 'client call, call, s', 's ends: GONE']);
    }
  });

  it('gives the very promise, whose rejection stays unhandled', async () => {
    // the runner's own listener would fail the test for it
    const listeners = process.rawListeners('unhandledRejection') as (() => void)[];
    process.removeAllListeners('unhandledRejection');
    try {
      const unhandled = once(process, 'unhandledRejection');
      const rejected = Promise.reject(new TypeError('no'));
      assert.equal(wrap(() => rejected, { span: span('r') })(), rejected);
      const [, promise] = await unhandled;
      assert.equal(promise, rejected);
    } finally {
      for (const listener of listeners) process.on('unhandledRejection', listener);
    }
  });

  it('may be told of its start by shorter ones', () => {
    const start = new WorkStart();
    const short = tools().wrapStart((value: unknown) => value, start);
    assert.equal(short(5), 5);
    assert.notEqual(start.take(), undefined);
    isOn = false;
    short(5);
    assert.equal(start.take(), undefined);
  });

  it('is no section inside of another one of its client, if it is to be outermost', () => {
    const inner = wrap(() => {}, { outermost: true });
    wrap(() => inner())();
    assert.equal(log.length, 1);
    inner();
    assert.equal(log.length, 2);
  });

  it('has a span of ours kept by who ends it later', () => {
    const kept: unknown[] = [];
    const keep = (_call: unknown, owner: Span | undefined, isOurs: boolean) => kept.push(owner, isOurs) > 0;
    wrap(() => {}, { span: span('s'), keep })();
    assert.equal((kept[0] as { name: string }).name, 's');
    assert.equal(kept[1], true);
    assert.ok(!log.includes('s ends'));
    wrap(() => {}, { span: span('s'), keep }, false)();
    assert.deepEqual(kept.slice(2), [undefined, false]);
  });
});

describe('a callback', () => {
  const calling = (call: (callback: Function) => unknown, rule: Partial<CallRule> = {}) =>
    wrap((...args: unknown[]) => call(args.at(-1) as Function), { callback: {}, ...rule });

  it('is called as it would be', () => {
    const self = {};
    const result = {};
    const wrapped = calling((callback) => callback.call(self, 1, 2));
    assert.equal(
      wrapped('any', function (this: unknown, ...args: unknown[]) {
        assert.equal(this, self);
        assert.deepEqual(args, [1, 2]);
        return result;
      }),
      result,
    );
    assert.deepEqual(log, ['client call, call, nobody', 'client call, callback, nobody']);
    const error = new Error('of the callback');
    assert.throws(
      () =>
        wrapped(() => {
          throw error;
        }),
      (thrown) => thrown === error,
    );
  });

  it('looks as it is', () => {
    for (const callback of [(_a: 1, _b: 2) => {}, function named() {}, async () => {}, class Some {}]) {
      calling((given) => {
        assert.equal(given.name, callback.name);
        assert.equal(given.length, callback.length);
        assert.equal(Object.hasOwn(given, 'prototype'), Object.hasOwn(callback, 'prototype'));
        assert.equal(Object.getPrototypeOf(given), Object.getPrototypeOf(callback));
      })(callback);
    }
  });

  it('is what the client gets if it is none', () => {
    calling((given) => assert.equal(given, 'no function'))(() => {}, 'no function');
    calling((given) => assert.equal(given, undefined))();
    assert.equal(log.filter((line) => line.includes('callback')).length, 0);
  });

  it('counts once where one call passes it on to another', () => {
    const inner = calling((callback) => callback());
    calling((callback) => inner(callback))(() => {});
    assert.equal(log.filter((line) => line.includes('callback')).length, 1);
  });

  it('ends the span of its call before it runs, once, and with its error', () => {
    const twice = calling(
      (callback) => {
        callback(null);
        callback(null);
      },
      { span: span('s', { ends: 'callback' }) },
    );
    twice(() => log.push('runs'));
    assert.deepEqual(
      log.filter((line) => !line.startsWith('client')),
      ['s begins', 's ends', 'runs', 'runs'],
    );
    log = [];
    calling((callback) => callback(new RangeError('r')), { span: span('s', { ends: 'callback' }) })(() => {});
    assert.ok(log.includes('s ends: RangeError'));
    log = [];
    const failure = () => ({ 'error.type': 'told by the rule' });
    calling((callback) => callback(new RangeError('r')), { span: span('s', { ends: 'callback', failure }) })(() => {});
    assert.ok(log.includes('s ends: told by the rule'));
    log = [];
    wrap(() => {}, { callback: {}, span: span('s', { ends: 'callback' }) })('no callback');
    assert.ok(log.includes('s ends'), 'without one, the return ends it');
    log = [];
    const throwing = calling(
      (callback) => {
        callback(null);
        throw new Error('late');
      },
      { span: span('s', { ends: 'callback' }) },
    );
    assert.throws(() => throwing(() => {}), /late/);
    assert.equal(log.filter((line) => line.startsWith('s ends')).length, 1);
  });

  it('has a span of its own where the rule says so', () => {
    const own = { span: span('own', { when: ({ args }: { args: readonly unknown[] }) => args[0] === 1 }) };
    calling((callback) => callback(1), { callback: own })(() => {});
    assert.deepEqual(log.slice(1), ['own begins', 'client call, callback, own', 'own ends']);
    log = [];
    calling((callback) => callback(2), { callback: own })(() => {});
    assert.deepEqual(log.slice(1), ['client call, callback, nobody']);
  });
});

describe('listeners of an event', () => {
  class Emitter extends EventEmitter {}
  const patched = (events: Parameters<typeof patchEvents>[2]) => {
    const [undo] = patchEvents(tools(), Emitter.prototype, events);
    return () => undo?.();
  };

  it('stay what they are, and are one section together', () => {
    const undo = patched({ data: {} });
    const emitter = new Emitter();
    const heard: unknown[] = [];
    const listener = function (this: unknown, ...args: unknown[]) {
      heard.push(this === emitter, args.length);
    };
    assert.equal(emitter.emit('data'), false);
    assert.equal(log.length, 0, 'nobody listens');
    emitter.on('data', listener).once('data', listener);
    assert.deepEqual(emitter.listeners('data'), [listener, listener]);
    assert.equal(emitter.emit('data', 1, 2), true);
    emitter.off('data', listener);
    assert.equal(emitter.emit('data', 1), false);
    assert.deepEqual(heard, [true, 2, true, 2]);
    assert.deepEqual(log, ['client data, callback, nobody']);
    emitter.on('other', listener).emit('other');
    assert.equal(log.length, 1);
    undo();
    assert.equal(Object.hasOwn(Emitter.prototype, 'emit'), false);
    assert.equal(emitter.emit, EventEmitter.prototype.emit);
  });

  it('are told of afterwards, also when there are none and when one throws', () => {
    const after: unknown[] = [];
    const undo = patched({ data: { span: span('s'), after: ({ args }) => after.push(args[0]) } });
    const emitter = new Emitter();
    emitter.emit('data', 'nobody');
    const error = new SyntaxError('of a listener');
    emitter.on('data', () => {
      throw error;
    });
    assert.throws(
      () => emitter.emit('data', 'thrown'),
      (thrown) => thrown === error,
    );
    assert.deepEqual(after, ['nobody', 'thrown']);
    assert.deepEqual(log, ['s begins', 'client data, callback, s', 's ends: SyntaxError']);
    undo();
  });
});
