/** The real thing: built actions against the sandbox's cluster, registry and builder. First `npm run build`. */
import unit from './jest.config.js'

/** They cut the one API server off, or keep both cores busy by themselves. */
const ALONE = '/__tests__/e2e/(connection|outage|scenarios)\\.test\\.ts$'

const { transform, testEnvironment, extensionsToTreatAsEsm, modulePathIgnorePatterns } = unit
const real = {
  transform,
  testEnvironment,
  extensionsToTreatAsEsm,
  modulePathIgnorePatterns,
  globalSetup: '<rootDir>/__tests__/e2e/bring-up.js',
}

export default {
  // Two files at a time: they share one cluster, and most of their time they wait.
  maxWorkers: 2,
  // Of tests that are marked concurrent, so many at once: on two cores more would slow one another down.
  maxConcurrency: 10,
  testTimeout: 600_000,
  projects: [
    {
      ...real,
      displayName: 'beside',
      testMatch: ['<rootDir>/__tests__/e2e/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ALONE],
    },
    {
      ...real,
      displayName: 'alone',
      testRegex: [ALONE],
      testPathIgnorePatterns: ['/node_modules/'],
      runner: '<rootDir>/jest.serial-runner.js',
    },
  ],
}
