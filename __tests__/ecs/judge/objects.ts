// API objects of one service as ECS answers them, with only what a test says changed.
import type { Container, Deployment, Service, ServiceDeployment, ServiceEvent, Task } from '@aws-sdk/client-ecs'
import type { Expectation, ServiceSnapshot, TargetState } from '../../../src/ecs/judge/snapshot.ts'

const ACCOUNT = 'arn:aws:ecs:eu-west-1:123456789012'
export const START = Date.UTC(2026, 0, 1)
/** `seconds` after the deployment began. */
export const at = (seconds: number): Date => new Date(START + seconds * 1_000)
export const NEW = `${ACCOUNT}:task-definition/web:8`
export const OLD = `${ACCOUNT}:task-definition/web:7`

export const expectation = (more: Partial<Expectation> = {}): Expectation => ({
  taskDefinition: NEW,
  deployment: 'ecs-svc/8',
  deploymentBefore: 'ecs-svc/7',
  since: START,
  digests: {},
  essential: new Set(['app']),
  rollsBack: false,
  ...more,
})

/** The new deployment, in progress. */
export const primary = (more: Partial<Deployment> = {}): Deployment => ({
  id: 'ecs-svc/8',
  status: 'PRIMARY',
  taskDefinition: NEW,
  desiredCount: 2,
  runningCount: 0,
  pendingCount: 2,
  failedTasks: 0,
  rolloutState: 'IN_PROGRESS',
  createdAt: at(0),
  ...more,
})
/** The one before, which still serves. */
export const active = (more: Partial<Deployment> = {}): Deployment => ({
  id: 'ecs-svc/7',
  status: 'ACTIVE',
  taskDefinition: OLD,
  desiredCount: 2,
  runningCount: 2,
  pendingCount: 0,
  rolloutState: 'COMPLETED',
  createdAt: at(-9_000),
  ...more,
})

export const service = (more: Partial<Service> = {}): Service => ({
  serviceName: 'web',
  status: 'ACTIVE',
  desiredCount: 2,
  taskDefinition: NEW,
  deployments: [primary(), active()],
  events: [],
  ...more,
})

export const deployment = (more: Partial<ServiceDeployment> = {}): ServiceDeployment => ({
  serviceDeploymentArn: `${ACCOUNT}:service-deployment/prod/web/abc`,
  status: 'IN_PROGRESS',
  deploymentCircuitBreaker: { status: 'MONITORING', failureCount: 0, threshold: 3 },
  ...more,
})

let tasks = 0
export function task(container: Partial<Container> = {}, more: Partial<Task> = {}): Task {
  return {
    taskArn: `${ACCOUNT}:task/prod/${String(++tasks).padStart(12, '0')}`,
    startedBy: 'ecs-svc/8',
    taskDefinitionArn: NEW,
    lastStatus: 'RUNNING',
    startedAt: at(1),
    containers: [{ name: 'app', ...container }],
    ...more,
  }
}
export const stopped = (more: Partial<Task>, container: Partial<Container> = {}): Task =>
  task(container, { lastStatus: 'STOPPED', stoppedAt: at(5), ...more })
export const crashed = (exitCode = 3, more: Partial<Task> = {}): Task =>
  stopped({ stopCode: 'EssentialContainerExited', stoppedReason: 'Essential container in task exited', ...more }, { exitCode })

/** A running task with an address, for target health. */
export const addressed = (address: string, more: Partial<Task> = {}): Task =>
  task({ networkInterfaces: [{ privateIpv4Address: address }] }, more)
export const target = (id: string, state: string, more: Partial<TargetState> = {}): TargetState => ({
  targetGroup: 'web',
  id,
  state,
  reason: '',
  description: '',
  ...more,
})

export const event = (seconds: number, message: string): ServiceEvent => ({
  id: `e${seconds}`,
  createdAt: at(seconds),
  message: `(service web) ${message}`,
})

export const snapshot = (more: Partial<ServiceSnapshot> = {}): ServiceSnapshot => ({
  name: 'service/web',
  expected: expectation(),
  service: service(),
  serviceDeployment: deployment(),
  seen: true,
  successor: undefined,
  tasks: [],
  targets: [],
  ...more,
})
