/**
 * Replaces a function by a wrapper that cannot be told from it: same `name`, `length`, own properties and prototype.
 * It leaves no marks of shimmer's, so that OpenTelemetry's own instrumentations never unwrap ours.
 */
export function disguise<F extends Function>(wrapper: F, original: Function): F {
  for (const key of Reflect.ownKeys(original)) {
    const own = Object.getOwnPropertyDescriptor(wrapper, key);
    if (own && !own.configurable) {
      // `prototype` of a plain function: its descriptor can't be replaced, but its value can
      if (own.writable) Reflect.set(wrapper, key, Reflect.get(original, key));
      continue;
    }
    Object.defineProperty(wrapper, key, Object.getOwnPropertyDescriptor(original, key)!);
  }
  Object.setPrototypeOf(wrapper, Object.getPrototypeOf(original));
  return wrapper;
}

/**
 * A function that passes each call to `invoke`, disguised as `original`: a method without a `prototype` of its own where
 * that has none, so that neither can be constructed.
 */
export function disguised(
  original: Function,
  invoke: (self: unknown, args: unknown[], wrapper: Function) => unknown,
): Function {
  if (!Object.hasOwn(original, 'prototype')) {
    const { method } = {
      method(this: unknown, ...args: unknown[]): unknown {
        return invoke(this, args, method);
      },
    };
    return disguise(method, original);
  }
  const wrapper = function (this: unknown, ...args: unknown[]): unknown {
    // A function of this kind may be a constructor to somebody.
    if (new.target) return Reflect.construct(original, args, new.target === wrapper ? original : new.target);
    return invoke(this, args, wrapper);
  };
  return disguise(wrapper, original);
}

/** Undoes one replacement. */
export type Undo = () => void;

/** What is replaced at the moment: a module that is both required and imported is told to us twice. */
const replaced = new WeakMap<object, Set<PropertyKey>>();

/**
 * Replaces `target[key]`, keeping the property's other traits (enumerable, writable). Returns how to undo it: only where
 * nobody has replaced it again since, for else the later wrapper would be lost. `undefined` where there is no such
 * function, it cannot be replaced, or it has been already.
 */
export function replaceMethod(
  target: object,
  key: PropertyKey,
  make: (original: Function) => Function,
): Undo | undefined {
  const keys = replaced.get(target) ?? new Set();
  if (keys.has(key)) return undefined;
  const descriptor = Object.getOwnPropertyDescriptor(target, key);
  const original = Reflect.get(target, key);
  if (typeof original !== 'function') return undefined;
  if (descriptor && !descriptor.configurable && !descriptor.writable) return undefined;
  const wrapper = disguise(make(original), original);
  if (!descriptor || 'value' in descriptor) {
    Object.defineProperty(target, key, {
      configurable: true,
      enumerable: descriptor?.enumerable ?? true,
      writable: true,
      ...(descriptor && { configurable: descriptor.configurable ?? true, writable: descriptor.writable ?? true }),
      value: wrapper,
    });
  } else {
    Object.defineProperty(target, key, { ...descriptor, get: () => wrapper });
  }
  replaced.set(target, keys.add(key));
  return () => {
    keys.delete(key);
    if (Reflect.get(target, key) !== wrapper) return;
    if (descriptor) Object.defineProperty(target, key, descriptor);
    else Reflect.deleteProperty(target, key);
  };
}
