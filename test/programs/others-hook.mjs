/** Preloaded: what an application does that has an instrumentation of its own for an ES module. */
import module from 'node:module';
import { InstrumentationBase, InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation';

if (process.env.HOOK === 'thread') module.register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);
if (process.env.HOOK === 'sync') (await import('import-in-the-middle/register-hooks.mjs')).register();

class Others extends InstrumentationBase {
  init() {
    return new InstrumentationNodeModuleDefinition('bcryptjs', ['*'], (exports) => {
      exports.hashSync = () => 'patched by others';
      return exports;
    });
  }
}
new Others('others', '1.0.0', {});
