import { syncBuiltinESMExports } from 'node:module';
import type { Tracer } from '@opentelemetry/api';
import { InstrumentationNodeModuleDefinition, InstrumentationNodeModuleFile } from '@opentelemetry/instrumentation';
import { warnOnce } from '../log.ts';
import type { SectionRecorder } from '../sections/recorder.ts';
import type { Undo } from '../wrap.ts';
import type { ClientDefinition } from './define.ts';
import { ClientTools } from './tools.ts';

/** Applies the clients' tables: to packages as they are loaded, to Node's own modules at once. */
export class Patcher {
  readonly #clients: readonly ClientDefinition[];
  readonly #recorder: () => SectionRecorder | undefined;
  readonly #options: { clientSpans: boolean; tracer: () => Tracer };
  /** By client and file. */
  readonly #undos = new Map<string, Undo[]>();

  constructor(
    clients: readonly ClientDefinition[],
    recorder: () => SectionRecorder | undefined,
    options: { clientSpans: boolean; tracer: () => Tracer },
  ) {
    this.#clients = clients;
    this.#recorder = recorder;
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
    const recorder = this.#recorder();
    if (!recorder) return exports;
    const key = keyOf(client, file);
    const undos = this.#undos.get(key) ?? [];
    this.#undos.set(key, undos);
    const tools = new ClientTools(client, recorder, this.#options);
    for (const patch of client.patches) {
      if (patch.in !== file) continue;
      // A client that is not as it was read must work as without us.
      try {
        const made = 'patch' in patch ? patch.patch(exports, tools) : tools.patchCalls(patch.of(exports), patch);
        for (const undo of made) if (undo) undos.push(undo);
      } catch (error) {
        warnOnce(`patch ${key}`, `${key} cannot be patched`, error);
      }
    }
    return exports;
  }

  #undo(client: ClientDefinition, file: string | undefined): void {
    const key = keyOf(client, file);
    for (const undo of (this.#undos.get(key) ?? []).reverse()) undo();
    this.#undos.delete(key);
  }
}

const keyOf = (client: ClientDefinition, file: string | undefined): string =>
  file ? `${client.module}/${file}` : client.module;
