// The story on ECS: which version is deployed to the simulated ECS, what its containers do there, and what must come of it.
import type { Scenario } from '../sandbox/aws/scenario.ts'
import type { Seed } from '../sandbox/aws/seed.ts'
import type { Expectation } from './expectation.ts'

export const ECS_APP = 'hello'
export const ECS_CLUSTER = 'app'

/** What is there before: version 1.0.0 behind a load balancer. */
export const ecsSeed: Seed = {
  cluster: ECS_CLUSTER,
  service: ECS_APP,
  tags: ['1.0.0'],
  loadBalancer: true,
  with: { healthCheckGracePeriodSeconds: 0 },
}

/** What the containers do; the state machine of the simulator makes the rest of it. */
export const ecsScenario: Scenario = {
  images: {
    [`${ECS_APP}:1.2.0`]: { exit: { code: 3, after: 2 }, log: ['connecting', 'FATAL: no DATABASE_URL'] },
    [`${ECS_APP}:1.4.0`]: { target: 503 },
    // The first task is the migration.
    [`${ECS_APP}:1.5.0`]: [{ exit: { code: 0, after: 2 }, log: ['2 migrations applied'] }, {}],
  },
}

export interface EcsVersion {
  readonly version: string
  readonly change: string
  readonly title: string
  /** False where the image never comes to the registry. */
  readonly pushed: boolean
  /** Inputs besides cluster, service and images. */
  readonly inputs: Readonly<Record<string, string>>
  readonly expects: Expectation
  /** The version that serves at the end. */
  readonly serves: string
}

const release = (revision: number): string => `ecs://${ECS_CLUSTER}/${ECS_APP}/${ECS_APP}:${revision}`
const deployed = (revision: number, previous: number): Expectation => ({
  conclusion: 'success',
  outputs: { result: 'deployed', reason: '', release: release(revision), 'previous-release': release(previous) },
})

export const ecsStory: readonly EcsVersion[] = [
  {
    version: '1.1.0',
    change: 'Say which task answers',
    title: 'It takes over, task by task',
    pushed: true,
    inputs: {},
    expects: deployed(2, 1),
    serves: '1.1.0',
  },
  {
    version: '1.2.0',
    change: 'Read the names from a database, whose address nobody has set',
    title: 'It crashes, is caught while ECS still tries, and version 1.1.0 is put back',
    pushed: true,
    inputs: {},
    expects: {
      conclusion: 'failure',
      outputs: {
        result: 'rolled-back',
        reason: 'EssentialContainerExited',
        message: ['exit code 3', 'FATAL: no DATABASE_URL', `${release(2)} was put back and is healthy`],
      },
      caughtWithin: 30,
    },
    serves: '1.1.0',
  },
  {
    version: '1.3.0',
    change: 'Set the address, and forget to push the image',
    title: 'Its image is not there: that is seen before anything is changed',
    pushed: false,
    inputs: {},
    expects: {
      conclusion: 'failure',
      outputs: {
        result: 'failed',
        reason: 'CannotPullContainerError',
        message: [`${ECS_APP}:1.3.0 is not in Amazon ECR`, 'Nothing was changed'],
      },
    },
    serves: '1.1.0',
  },
  {
    version: '1.4.0',
    change: 'Push it, and ask the database at every health check, which is too slow for that',
    title: 'It runs, but the load balancer gets 503: version 1.1.0 is put back',
    pushed: true,
    inputs: {},
    expects: {
      conclusion: 'failure',
      outputs: {
        result: 'rolled-back',
        reason: 'UnhealthyTarget',
        message: ['health checks', `${release(2)} was put back and is healthy`],
      },
      caughtWithin: 60,
    },
    serves: '1.1.0',
  },
  {
    version: '1.5.0',
    change: 'Check health without the database, and migrate it first',
    title: 'Its migration runs as a task of its own, then it takes over',
    pushed: true,
    inputs: { 'run-before': `${ECS_APP} ["npm", "run", "migrate"]` },
    expects: deployed(5, 2),
    serves: '1.5.0',
  },
]
