import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['suites/*.ts'],
    exclude: ['suites/app.ts'],
    setupFiles: ['loopblame/testing/vitest'],
    pool: process.env.POOL ?? 'forks',
    fileParallelism: false,
    reporters: ['default'],
  },
});
