/** The real thing: built actions against the sandbox's cluster, registry and builder. First `npm run build`. */
import unit from './jest.config.js'

export default {
  ...unit,
  testMatch: ['<rootDir>/__tests__/e2e/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  globalSetup: '<rootDir>/__tests__/e2e/bring-up.js',
  // One at a time: they share one cluster, and what they measure is time.
  maxWorkers: 1,
  // Of tests that are marked concurrent, so many at once: most of their time they wait, and on two cores more would slow one another down.
  maxConcurrency: 10,
  testTimeout: 600_000,
}
