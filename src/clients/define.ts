import type { Attributes, Span, SpanKind } from '@opentelemetry/api';
import type { Phase } from '../semconv.ts';
import type { Undo } from '../wrap.ts';
import type { ClientTools } from './tools.ts';

/** One call of a patched method, as the rules of a client see it. */
export interface Call {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: a client's own objects, whose types loopblame must not depend on
  readonly self: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly args: readonly any[];
}

/** Which span a section belongs to: found at the call, in nanoseconds. */
export type OwnerRule = (call: Call) => Span | undefined;

/** The span that we open for a call of a client which no official instrumentation covers (option `clientSpans`). */
export interface SpanRule {
  readonly kind: SpanKind;
  readonly name: (call: Call) => string;
  /** Stable `db.*` and `messaging.*` attributes; never a query's text, a message's body or an argument's value. */
  readonly attributes: (call: Call) => Attributes;
  /** What ends it: the call's return (default), or the promise it returns. */
  readonly ends?: 'return' | 'promise';
}

interface PatchPlace {
  /** A file of the package, as `lib/kafka-consumer.js`; the package's main exports where there is none. */
  readonly in?: string;
}

/** Methods whose synchronous part is one section. */
export interface CallsPatch extends PatchPlace {
  /** The object that has the methods as its own, from the module's exports. */
  // biome-ignore lint/suspicious/noExplicitAny: a module's exports
  readonly of: (exports: any) => object | undefined;
  readonly calls: readonly string[];
  readonly phase: Phase;
  /** Default: the active span, or the span of `span`. */
  readonly owner?: OwnerRule;
  /** The calls take a millisecond and more: see `Section.slow`. */
  readonly slow?: boolean;
  /** Only such calls are sections; the others pass straight through. */
  readonly when?: (call: Call) => boolean;
  readonly span?: SpanRule;
}

/** A place with a shape of its own: gets the exports, patches them by the tools, returns how to undo it. */
export interface CustomPatch extends PatchPlace {
  // biome-ignore lint/suspicious/noExplicitAny: a module's exports
  readonly patch: (exports: any, tools: ClientTools) => (Undo | undefined)[];
}

/** One client: what to patch, what it is called, whose time it is. */
export interface ClientDefinition {
  /** The package's (or Node's builtin module's) name: the first word of each section's name. */
  readonly module: string;
  /** Versions that were read and tried; empty for builtin modules. */
  readonly versions: readonly string[];
  /** `messaging.system` or `db.system.name`; `nodejs` for Node's own calls. */
  readonly system: string;
  /** What comes before the method in a section's name; default the module and a space. */
  readonly prefix?: string;
  /** Node's own modules and globals need no loading hook. `undefined` where this Node version has none. */
  readonly builtin?: () => object | undefined;
  readonly patches: readonly (CallsPatch | CustomPatch)[];
}

/** Gives a client's table its type. */
export function defineClient(definition: ClientDefinition): ClientDefinition {
  return definition;
}
