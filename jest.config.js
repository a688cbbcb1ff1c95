/** Unit and contract tests: no Docker, no cluster, no network. The real thing is `npm run test:e2e`. */
const transform = { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2024', parser: { syntax: 'typescript' } } }] }

export default {
  transform,
  testEnvironment: 'node',
  // Generous: a machine that is busy with something else must not make a test fail.
  testTimeout: 30_000,
  // Jest would leave one core for its own sake, which on two cores is half of them.
  maxWorkers: '100%',
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/__tests__/e2e/'],
  modulePathIgnorePatterns: ['<rootDir>/out/', '<rootDir>/actions/[^/]+/dist/'],
}
