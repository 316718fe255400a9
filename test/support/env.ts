/** What a developer's shell may set and no test may see: it would change what is measured, or where it is sent. */
const OF_THE_USER = /^(OTEL_|LOOPBLAME_|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/;

export function cleanEnv(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OF_THE_USER.test(name)));
}
