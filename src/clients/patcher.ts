import { syncBuiltinESMExports } from 'node:module';
import { InstrumentationNodeModuleDefinition, InstrumentationNodeModuleFile } from '@opentelemetry/instrumentation';
import { warnOnce } from '../log.ts';
import type { Undo } from '../wrap.ts';
import { applied } from './apply.ts';
import type { ClientDefinition, ExportedPatch, StartPatch } from './define.ts';
import { ClientTools, type ToolOptions } from './tools.ts';

/** Applies the clients' tables: to packages as they are loaded, to Node's own modules at once. */
export class Patcher {
  readonly #clients: readonly ClientDefinition[];
  readonly #options: ToolOptions;
  /** By client and file. */
  readonly #undos = new Map<string, Undo[]>();

  constructor(clients: readonly ClientDefinition[], options: ToolOptions) {
    this.#clients = clients;
    this.#options = options;
  }

  /** For OpenTelemetry's loading hooks, which see `require` and `import`. */
  moduleDefinitions(): InstrumentationNodeModuleDefinition[] {
    return this.#clients
      .filter((client) => !client.builtin)
      .map((client) => {
        const versions = [...client.versions];
        const files = new Set(client.patches.flatMap((patch) => patch.in ?? []));
        return new InstrumentationNodeModuleDefinition(
          client.module,
          versions,
          (exports) => this.#patch(client, undefined, exports),
          () => this.#undo(client, undefined),
          [...files].map(
            (file) =>
              new InstrumentationNodeModuleFile(
                `${client.module}/${file}`,
                versions,
                (exports) => this.#patch(client, file, exports),
                () => this.#undo(client, file),
              ),
          ),
        );
      });
  }

  patchBuiltins(): void {
    for (const client of this.#clients) {
      const exports = client.builtin?.();
      if (exports) this.#patch(client, undefined, exports);
    }
    syncBuiltinESMExports();
  }

  unpatchBuiltins(): void {
    for (const client of this.#clients) if (client.builtin) this.#undo(client, undefined);
    syncBuiltinESMExports();
  }

  #patch<T>(client: ClientDefinition, file: string | undefined, exports: T): T {
    if (!this.#options.recorder()) return exports;
    const key = keyOf(client, file);
    const undos = this.#undos.get(key) ?? [];
    this.#undos.set(key, undos);
    const tools = new ClientTools(client, this.#options);
    let patched = exports;
    for (const patch of client.patches) {
      if (patch.in !== file) continue;
      // A client that is not as it was read must work as without us.
      try {
        if ('exported' in patch || 'starts' in patch) {
          patched = replaced(patch, patched, tools);
          continue;
        }
        for (const undo of applied(patch, withoutNamespace(patched), tools)) if (undo) undos.push(undo);
      } catch (error) {
        warnOnce(`patch ${key}`, `${key} cannot be patched`, error);
      }
    }
    return patched;
  }

  #undo(client: ClientDefinition, file: string | undefined): void {
    const key = keyOf(client, file);
    for (const undo of (this.#undos.get(key) ?? []).reverse()) undo();
    this.#undos.delete(key);
  }
}

/** Whoever has such a function keeps it: it can't be taken back, and passes straight through while we are off. */
function replaced<T>(patch: ExportedPatch | StartPatch, exports: T, tools: ClientTools): T {
  if (typeof exports !== 'function') return exports;
  return ('starts' in patch
    ? tools.wrapStart(exports, patch.starts)
    : tools.wrapCall(exports, patch.exported, patch)) as unknown as T & Function;
}

const keyOf = (client: ClientDefinition, file: string | undefined): string =>
  file ? `${client.module}/${file}` : client.module;

/** A CommonJS package that is imported: its exports are the namespace's default. */
function withoutNamespace(exports: unknown): unknown {
  const namespace = exports as { [Symbol.toStringTag]?: unknown; default?: unknown };
  return namespace?.[Symbol.toStringTag] === 'Module' ? (namespace.default ?? exports) : exports;
}
