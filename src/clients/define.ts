import type { Attributes, Span, SpanKind } from '@opentelemetry/api';
import type { Phase } from '../semconv.ts';
import type { Undo } from '../wrap.ts';
import type { ClientTools } from './tools.ts';
import type { WorkStart } from './work-start.ts';

/**
 * The format of a client's table. A client is a list of patches: which file of the package, which object of it, which
 * calls, callbacks or events, what phase they are and whose time it is. No rule may change what the application sees:
 * rules are functions of the call alone, and one that throws is logged and passed over.
 */

/** One call of a patched method (or of its callback, or of an event's listeners), as the rules of a client see it. */
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
  /** Only such calls get a span; the others are sections alone. */
  readonly when?: (call: Call) => boolean;
  /**
   * What ends it: the call's return (default), or the first call of its callback. A promise that a call returns can't:
   * whoever watches it has handled its rejection, and the application's own oversight would go unseen.
   */
  readonly ends?: 'return' | 'callback';
  /** Only the outermost of the client's calls gets a span: those inside it are sections of that. */
  readonly outermost?: boolean;
  /** What the span of a failed call tells; default the error's type and message. For clients whose messages quote data. */
  readonly failure?: (error: unknown) => Attributes;
}

/** What can be said of anything that runs as a section. */
interface SectionRules {
  /** Default: the active span, or the span of `span`. */
  readonly owner?: OwnerRule;
  readonly span?: SpanRule;
}

/** The user's callback: the call's last argument, where that is a function. Its synchronous part is a section too. */
export interface CallbackRule extends SectionRules {
  /** Default: the span that was active at the call: few native clients keep the context. */
  readonly owner?: OwnerRule;
}

interface CallRules extends SectionRules {
  readonly phase: Phase;
  /** The calls take a millisecond and more: see `Section.slow`. */
  readonly slow?: boolean;
  /** The name of an instrumentation: see `Section.adopts`. */
  readonly adopts?: string;
  /** Only such calls are sections; the others pass straight through. */
  readonly when?: (call: Call) => boolean;
  /** Only calls outside of every section of this client: the others are counted by the one around them. */
  readonly outermost?: boolean;
  /** What began before the call, in the same callback, and is part of it: see `StartPatch`. */
  readonly since?: WorkStart;
  readonly callback?: CallbackRule;
  /**
   * Told of each call that has returned, and the span it belongs to: a client's own code may keep it for what comes
   * back later. True: it is a span of ours, and that code ends it.
   */
  readonly keep?: (call: Call, owner: Span | undefined, isOurs: boolean) => boolean;
}

interface PatchPlace {
  /** A file of the package, as `lib/kafka-consumer.js`; the package's main exports where there is none. */
  readonly in?: string;
}

interface ObjectPlace extends PatchPlace {
  /** The object that has the methods as its own, from the module's exports. */
  // biome-ignore lint/suspicious/noExplicitAny: a module's exports
  readonly of: (exports: any) => object | undefined;
}

/** Methods whose synchronous part is one section each. */
export interface CallsPatch extends ObjectPlace, CallRules {
  readonly calls: readonly string[];
  /** What they are called in the section's name, where the method's own name is no name that the user knows. */
  readonly as?: string;
}

/** A file whose exports are one function: its synchronous part is a section. `exported` is its name in the section's. */
export interface ExportedPatch extends PatchPlace, CallRules {
  readonly in: string;
  readonly exported: string;
}

/** A file whose exports are one short function that is called by the thousand: the first call begins a later section. */
export interface StartPatch extends PatchPlace {
  readonly in: string;
  readonly starts: WorkStart;
}

/** One event: all its listeners together are one section, and none where nobody listens. */
export interface EventRule extends SectionRules {
  /** When all listeners have returned, or when there are none. */
  readonly after?: (call: Call) => void;
}

/** Events of the client's own emitters, by name. Listeners stay as they are: what is patched is the emitting. */
export interface EventsPatch extends ObjectPlace {
  readonly events: Readonly<Record<string, EventRule>>;
}

/** A place with a shape of its own: gets the exports, patches them by the tools, returns how to undo it. */
export interface CustomPatch extends PatchPlace {
  // biome-ignore lint/suspicious/noExplicitAny: a module's exports
  readonly patch: (exports: any, tools: ClientTools) => (Undo | undefined)[];
}

/** How a call is treated, without where it is. */
export type CallRule = Omit<CallRules, 'in'>;

export type Patch = CallsPatch | ExportedPatch | StartPatch | EventsPatch | CustomPatch;

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
  readonly patches: readonly Patch[];
}

/** Gives a client's table its type. */
export function defineClient(definition: ClientDefinition): ClientDefinition {
  return definition;
}
