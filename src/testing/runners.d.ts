/** What is used of the test runners, which are installed with the tests alone. */
declare module 'vitest' {
  export const beforeAll: import('./suite.ts').Hook;
  export const beforeEach: import('./suite.ts').Hook;
  export const afterEach: import('./suite.ts').Hook;
  export const afterAll: import('./suite.ts').Hook;
}
declare module '@jest/globals' {
  export const beforeAll: import('./suite.ts').Hook;
  export const beforeEach: import('./suite.ts').Hook;
  export const afterEach: import('./suite.ts').Hook;
  export const afterAll: import('./suite.ts').Hook;
}
