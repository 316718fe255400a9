import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { defineConfig, type UserConfig } from 'tsdown';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string };

/**
 * `import source from './thread.ts?worker'` gives the bundled source of a worker thread as a string. A worker that is
 * started from a string needs no file beside it, so it starts from ESM, from CommonJS and from a bundled application.
 */
const workerSource = {
  name: 'worker-source',
  resolveId(id: string, importer?: string) {
    if (!id.endsWith('?worker') || !importer) return null;
    return `${fileURLToPath(new URL(id.slice(0, -'?worker'.length), `file://${importer}`))}?worker`;
  },
  async load(id: string) {
    if (!id.endsWith('?worker')) return null;
    const result = await build({
      entryPoints: [id.slice(0, -'?worker'.length)],
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      minifyWhitespace: true,
      minifySyntax: true,
    });
    return { code: `export default ${JSON.stringify(result.outputFiles[0]!.text)};`, moduleType: 'js' as const };
  },
};

const config: UserConfig = defineConfig({
  entry: {
    index: 'src/index.ts',
    register: 'src/register.ts',
    cli: 'src/cli.ts',
    forecast: 'src/forecast.ts',
    testing: 'src/testing.ts',
    'testing-jest': 'src/testing/jest.ts',
    'testing-node-test': 'src/testing/node-test.ts',
    'testing-vitest': 'src/testing/vitest.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  // "type": "module": ESM is .js, CommonJS is .cjs
  fixedExtension: false,
  dts: { oxc: true },
  clean: true,
  define: { __VERSION__: JSON.stringify(version) },
  plugins: [workerSource],
});

export default config;
