// For programs that tell all they see of a client's calls: run with and without loopblame, they must tell the same.
import { truth } from './lib.mjs';

const seen = [];

/** Notes something seen, in the order in which it was seen. */
export function see(what, value) {
  seen.push([what, plain(value)]);
}

/** Calls, and notes what came of it: a result or an error. */
export function attempt(what, fn) {
  try {
    const result = fn();
    see(`${what} returned`, result);
    return result;
  } catch (error) {
    see(`${what} threw`, error);
    return undefined;
  }
}

/** A callback that notes how it was called, and what had been called before. */
export function noting(what, next = () => {}) {
  return function (...args) {
    see(`${what} called back`, { self: this === undefined ? 'undefined' : typeof this, args });
    next.apply(this, args);
  };
}

/** Notes what can be seen of methods without calling them. */
export function seeMethods(what, target, names) {
  for (const name of names) {
    const { value, ...flags } = Object.getOwnPropertyDescriptor(target, name) ?? {};
    see(`${what}.${name}`, typeof value === 'function' ? { ...flags, ...shapeOf(value) } : flags);
  }
}

export function shapeOf(fn) {
  return {
    name: fn.name,
    length: fn.length,
    keys: Reflect.ownKeys(fn).map(String).sort(),
    class: Object.getPrototypeOf(fn).constructor.name,
    prototype: fn.prototype && Reflect.ownKeys(fn.prototype).map(String).sort(),
  };
}

/** At the end. `patched`: whether a function of the client is not the client's own, by its source. */
export function tell(fn, ownSource) {
  truth({ patched: !Function.prototype.toString.call(fn).includes(ownSource), seen });
}

/** Values as JSON can have them, with what it would leave out. */
function plain(value, depth = 0) {
  if (value === undefined) return 'undefined';
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return { function: value.name, length: value.length };
  // names that a run has to itself end in its process id
  if (typeof value === 'string') return value.replaceAll(String(process.pid), 'PID');
  if (value === null || typeof value !== 'object') return value;
  if (Buffer.isBuffer(value)) return { buffer: value.toString() };
  if (value instanceof Error) {
    const { name, message, code, type, retriable } = value;
    const more = plain({ code, type, retriable, keys: Object.keys(value) });
    return { error: value.constructor.name, name, message: plain(message), ...more };
  }
  if (depth > 4) return '…';
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, depth + 1)]));
}
