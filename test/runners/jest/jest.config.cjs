module.exports = {
  setupFilesAfterEnv: ['loopblame/testing/jest'],
  testMatch: ['<rootDir>/suites/*/{blocks,passes}.{cjs,mjs}'],
  moduleFileExtensions: ['js', 'cjs', 'mjs', 'json'],
  transform: {},
};
