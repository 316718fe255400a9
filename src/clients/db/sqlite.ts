import { type Attributes, type Span, SpanKind } from '@opentelemetry/api';
import { createStamps } from '../../stamps.ts';
import { disguised, replaceMethod, type Undo } from '../../wrap.ts';
import type { Call, SpanRule } from '../define.ts';
import { activeSpan, type ClientTools } from '../tools.ts';
import { type DatabaseCall, databaseAttributes, databaseSpanName } from './attributes.ts';

/** What the two SQLite clients share: both do everything on the loop, and have the same statements and iterators. */

export const SYSTEM = 'sqlite';

/** The client span of a call. One call, one span: what runs inside a transaction is a section of the transaction's. */
export function sqliteSpan(describe: (call: Call) => DatabaseCall): SpanRule {
  return {
    kind: SpanKind.CLIENT,
    outermost: true,
    name: (call) => databaseSpanName(SYSTEM, describe(call)),
    attributes: (call) => databaseAttributes(SYSTEM, describe(call)),
    failure,
  };
}

/** SQLite's messages quote the statement (`near "…": syntax error`): only its codes are told. */
function failure(error: unknown): Attributes {
  const { code, errcode, name } = (error ?? {}) as { code?: unknown; errcode?: unknown; name?: unknown };
  // better-sqlite3 has SQLite's code as a name, node:sqlite as a number beside a code of Node's own.
  const status = errcode ?? (String(code).startsWith('SQLITE_') ? code : undefined);
  if (status !== undefined) return { 'error.type': String(status), 'db.response.status_code': String(status) };
  return { 'error.type': error instanceof Error ? String(code ?? name) : '_OTHER' };
}

/**
 * A description that is made once for each statement or database. Whoever calls a method on anything else, or on what is
 * closed, gets the client's own error: there is nothing to describe then.
 */
export class Descriptions<T> {
  readonly #known = createStamps<T>();
  readonly #describe: (subject: never) => T;
  readonly #otherwise: T;

  constructor(describe: (subject: never) => T, otherwise: T) {
    this.#describe = describe;
    this.#otherwise = otherwise;
  }

  of(subject: unknown): T {
    const known = this.#known.get(subject);
    if (known !== undefined) return known;
    try {
      const description = this.#describe(subject as never);
      this.#known.set(subject as object, description);
      return description;
    } catch {
      return this.#otherwise;
    }
  }
}

export const UNKNOWN: DatabaseCall = { operation: undefined, namespace: undefined };

/** Patches of classes that only their first instances show. */
export class LatePatches {
  readonly #patched = new WeakSet<object>();
  readonly #undos: Undo[] = [];

  patchClassOf(instance: object, patch: (prototype: object) => readonly (Undo | undefined)[]): void {
    const prototype = Object.getPrototypeOf(instance);
    if (this.#patched.has(prototype)) return;
    this.#patched.add(prototype);
    for (const undo of patch(prototype)) if (undo) this.#undos.push(undo);
  }

  readonly undo: Undo = () => {
    for (const undo of this.#undos.splice(0).reverse()) undo();
  };
}

interface Iteration {
  readonly owner: Span | undefined;
  /** Ours to end, if there is one. */
  readonly span: Span | undefined;
}

/** In progress. One for all kinds of statements, whose iterators may be of one class. */
const iterations = createStamps<Iteration | undefined>();

/**
 * `iterate()` gives rows one by one: each `next()` holds the loop again. One span from the call until the last row, or
 * until the loop is left. The iterators stay the client's own: it is their class that is patched, once the first is made.
 */
export function patchIterate(tools: ClientTools, statements: object, rule: SpanRule): (Undo | undefined)[] {
  const late = new LatePatches();
  const section = tools.section('iterate', 'call');

  const undo = replaceMethod(statements, 'iterate', (iterate) =>
    disguised(iterate, (self, args, wrapper) => {
      const { sections } = tools;
      if (!sections) return Reflect.apply(iterate, self, args);
      const call: Call = { method: 'iterate', self, args };
      const span = tools.startSpan(rule, call);
      const owner = span ?? activeSpan();
      try {
        const iterator = sections.run<object>(section, owner, iterate, self, args, wrapper);
        tools.ask(() => {
          iterations.set(iterator, { owner, span });
          late.patchClassOf(iterator, (iterators) => ['next', 'return'].map((step) => patchStep(iterators, step)));
        }, call);
        return iterator;
      } catch (error) {
        if (span) tools.endSpan(span, error ?? 'thrown', rule);
        throw error;
      }
    }),
  );

  const patchStep = (iterators: object, method: string): Undo | undefined => {
    const section = tools.section(method, 'call');
    return replaceMethod(iterators, method, (step) =>
      disguised(step, (self, args, wrapper) => {
        const { sections } = tools;
        if (!sections) return Reflect.apply(step, self, args);
        const iteration = iterations.get(self);
        const end = (error?: unknown): void => {
          if (!iteration) return;
          iterations.set(self as object, undefined);
          if (iteration.span) tools.endSpan(iteration.span, error, rule);
        };
        try {
          const owner = iteration ? iteration.owner : activeSpan();
          const result = sections.run<IteratorResult<unknown>>(section, owner, step, self, args, wrapper);
          if (method === 'return' || result.done) end();
          return result;
        } catch (error) {
          end(error ?? 'thrown');
          throw error;
        }
      }),
    );
  };

  return [undo, late.undo];
}
