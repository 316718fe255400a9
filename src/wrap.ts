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

/** Undoes one replacement. */
export type Undo = () => void;

/**
 * Replaces `target[key]`, keeping the property's other traits (enumerable, writable). Returns how to undo it: only where
 * nobody has replaced it again since, for else the later wrapper would be lost. `undefined` where there is no such
 * function, or it cannot be replaced.
 */
export function replaceMethod(
  target: object,
  key: PropertyKey,
  make: (original: Function) => Function,
): Undo | undefined {
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
  return () => {
    if (Reflect.get(target, key) !== wrapper) return;
    if (descriptor) Object.defineProperty(target, key, descriptor);
    else Reflect.deleteProperty(target, key);
  };
}
