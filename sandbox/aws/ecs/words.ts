// What ECS says, as the documentation and recorded outputs have it: events of a service, reasons of stopped tasks.
import type { ContainerScript } from '../scenario.ts'

export const events = {
  started: (service: string, tasks: readonly string[]) =>
    `(service ${service}) has started ${tasks.length} tasks: ${list(tasks)}.`,
  replaced: (service: string, tasks: readonly string[]) =>
    `(service ${service}) has started ${tasks.length} tasks: ${list(tasks)}. Amazon ECS replaced ${tasks.length} tasks due to an unhealthy status.`,
  stopped: (service: string, tasks: readonly string[]) =>
    `(service ${service}) has stopped ${tasks.length} running tasks: ${list(tasks)}.`,
  registered: (service: string, count: number, group: string) =>
    `(service ${service}) registered ${count} targets in (target-group ${group})`,
  deregistered: (service: string, count: number, group: string) =>
    `(service ${service}) deregistered ${count} targets in (target-group ${group})`,
  draining: (service: string, count: number) => `(service ${service}) has begun draining connections on ${count} tasks.`,
  steady: (service: string) => `(service ${service}) has reached a steady state.`,
  completed: (service: string, deployment: string) => `(service ${service}) (deployment ${deployment}) deployment completed.`,
  failed: (service: string, deployment: string, why: string) =>
    `(service ${service}) (deployment ${deployment}) deployment failed: ${why}`,
  rollingBack: (service: string, deployment: string) => `(service ${service}) rolling back to deployment ${deployment}.`,
  impaired: (service: string) =>
    `(service ${service}) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`,
  unhealthyTarget: (service: string, task: string, port: number, group: string, why: string) =>
    `(service ${service}) (task ${task}) (port ${port}) is unhealthy in (target-group ${group}) due to (reason ${why}).`,
  unhealthyContainer: (service: string, task: string) => `(service ${service}) (task ${task}) failed container health checks.`,
  notPlaced: (service: string, why: string) => `(service ${service}) was unable to place a task. Reason: ${why}.`,
  noInstance: (service: string, why: string) =>
    `(service ${service}) was unable to place a task because no container instance met all of its requirements. Reason: ${why}. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.`,
} as const

const list = (tasks: readonly string[]): string => tasks.map(task => `(task ${task})`).join(' ')

export const reasons = {
  essential: 'Essential container in task exited',
  scaling: (deployment: string) => `Scaling activity initiated by (deployment ${deployment})`,
  targetHealth: (group: string) => `Task failed ELB health checks in (target-group ${group})`,
  containerHealth: 'Task failed container health checks',
  spot: 'Your Spot Task was interrupted.',
  memory: 'OutOfMemoryError: Container killed due to memory usage',
  fargateCapacity: 'Capacity is unavailable at this time. Please try again later or in a different availability zone',
  notRolledBack: 'Service deployment rolled back because the circuit breaker threshold was exceeded.',
  replaced: 'Replaced by a new service deployment.',
} as const

/** Why an image could not be pulled, without the error's name. */
export function pullFault(pull: NonNullable<ContainerScript['pull']>, image: string): string {
  const [host = ''] = image.split('/')
  switch (pull) {
    case 'not found':
      return `pull image manifest has been retried 1 time(s): failed to resolve ref ${image}: ${image}: not found`
    case 'no access':
      return `pull image manifest has been retried 1 time(s): failed to resolve ref ${image}: unexpected status from HEAD request to https://${host}/v2/: 403 Forbidden`
    case 'timeout':
      return `pull image manifest has been retried 5 time(s): failed to resolve ref ${image}: failed to do request: Head "https://${host}/v2/": dial tcp: i/o timeout`
    default:
      return pull
  }
}
