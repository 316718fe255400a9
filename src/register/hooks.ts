import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What import-in-the-middle's create-hook.mjs gives, as far as it is used here. */
interface Hook {
  applyOptions(options: HookOptions): void;
  resolveSync: unknown;
  loadSync: unknown;
}
interface HookOptions {
  include: RegExp[];
}
interface CreateHook {
  createHook(meta: { url: string }): Hook;
  supportsSyncHooks?(): boolean;
}

/** What @types/node 20 does not know: hooks in the application's own thread (Node 22.15 and later). */
const { registerHooks } = module as { registerHooks?: (hooks: { resolve: unknown; load: unknown }) => void };

/**
 * Makes `import` of these packages and Node modules patchable, as `require` of them is.
 *
 * The hook is an instance of its own, not the one behind `@opentelemetry/instrumentation/hook.mjs`: that one can be set
 * up once only, so the application's own registration of it would fail or inherit our list. And it is for these names
 * alone: the hook replaces each module it is for by a generated one, which most modules of an application don't need.
 */
export function hookImports(names: readonly string[]): void {
  if (names.length === 0) return;
  const home = importInTheMiddle();
  const include = names.map(urlOf);
  const meta = { url: pathToFileURL(join(home, 'hook.mjs')).href };
  const file = join(home, 'create-hook.mjs');
  if (registerHooks) {
    const { createHook, supportsSyncHooks } = createRequire(import.meta.url)(file) as CreateHook;
    if (supportsSyncHooks?.()) {
      const hook = createHook(meta);
      hook.applyOptions({ include });
      registerHooks({ resolve: hook.resolveSync, load: hook.loadSync });
      return;
    }
  }
  // Older versions run hooks in a thread of their own, from a module that is loaded there.
  const loader = `import { createHook } from ${JSON.stringify(pathToFileURL(file).href)};
const hook = createHook(${JSON.stringify(meta)});
export const { resolve, load } = hook;
export const initialize = (options) => hook.applyOptions(options);`;
  module.register(`data:text/javascript,${encodeURIComponent(loader)}`, { data: { include } });
}

/** The copy that the instrumentations use: what another copy's hook sees, they never hear of. */
function importInTheMiddle(): string {
  const instrumentation = createRequire(import.meta.url).resolve('@opentelemetry/instrumentation');
  return dirname(createRequire(instrumentation).resolve('import-in-the-middle'));
}

/** Of all files of a package, or of one of Node's modules. */
function urlOf(name: string): RegExp {
  const escaped = name.replace(/^node:/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  // a module that this version of Node does not have yet is one as well
  const isNodes = name.startsWith('node:') || module.isBuiltin(name);
  return new RegExp(isNodes ? `^node:${escaped}$` : `/node_modules/${escaped}/`);
}
