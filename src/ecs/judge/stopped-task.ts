// Why a task ended, read from its stop code, its reason and its containers; and whether that is the release's fault.
import type { Container, Task } from '@aws-sdk/client-ecs'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { REPEATS } from './grace.ts'
import { shortName } from './snapshot.ts'

/** A task that ended because of what the release is. */
export interface TaskEnd {
  readonly task: Task
  /** ECS's own word. */
  readonly reason: string
  /** The rule by which it counts. */
  readonly rule: keyof typeof REPEATS
  /** What happened, without the task: `container app ended with exit code 3`. */
  readonly message: string
  readonly container: string | undefined
}

/** What passes: the network, throttling, a service that is out of breath. */
export const PASSING =
  /time(?:d |-)?out|i\/o|connection (?:reset|refused|issue)|tls handshake|\bEOF\b|toomanyrequests|too many requests|rate exceeded|throttl|\b429\b|\b5\d\d (?:internal|bad|service|gateway)|temporary|context deadline|dial tcp|request canceled|no space left/i
/** A program that is not there, or not for this machine. */
const NO_PROGRAM = /executable file not found|no such file or directory|exec format error|permission denied|exec: "/i
/** Ended by what has nothing to do with the release. */
const NOT_THE_RELEASE =
  /scaling activity initiated|host ec2|spot|maintenance|task was stopped by|instance .* (?:terminated|stopped)|az rebalanc|rebalancing|service scheduler initiated|platform version/i
const NO_CAPACITY = /capacity is unavailable|no capacity|insufficient capacity|RESOURCE:/i

/** The release's fault of a stopped or stopping task; undefined where it still runs, or where something else ended it. */
export function endOf(task: Task, essential: ReadonlySet<string>): TaskEnd | undefined {
  const ending = task.stopCode !== undefined || task.stoppedReason !== undefined || task.lastStatus === 'STOPPED'
  if (!ending) return undefined
  const said = foreignLine(task.stoppedReason ?? '', 400)
  const container = culpritOf(task, essential)
  const words = foreignLine([said, container?.reason ?? ''].filter(text => text !== '').join(' '), 600)
  const end = (reason: string, rule: keyof typeof REPEATS, message: string, name?: string): TaskEnd => ({
    task,
    reason,
    rule,
    message,
    container: name,
  })
  if (/failed (?:elb|load balancer) health checks/i.test(said))
    return end('UnhealthyTarget', 'UnhealthyTarget', `ECS stopped it: ${lower(said)}`, container?.name)
  if (/failed container health checks/i.test(said))
    return end('Unhealthy', 'Unhealthy', `ECS stopped it: ${lower(said)}`, unhealthyOf(task) ?? container?.name)
  if (/CannotPull/.test(words))
    return end(
      'CannotPullContainerError',
      PASSING.test(words) ? 'PullTrouble' : 'CannotPullContainerError',
      textOf(words),
      container?.name,
    )
  if (/ResourceInitializationError/.test(words))
    return end(
      'ResourceInitializationError',
      PASSING.test(words) ? 'ResourceTrouble' : 'ResourceInitializationError',
      textOf(words),
    )
  if (/OutOfMemory/i.test(words))
    return end(
      'OutOfMemoryError',
      'OutOfMemoryError',
      `${nameOf(container)} ran out of memory (exit code ${container?.exitCode ?? 137})`,
      container?.name,
    )
  const refused = /Cannot(?:Start|Create|Inspect)Container\w*|CannotStopContainer\w*|ContainerRuntime\w*|InternalError/.exec(
    words,
  )?.[0]
  if (refused !== undefined)
    return end(refused, NO_PROGRAM.test(words) ? 'CannotStart' : 'TaskFailedToStart', textOf(words), container?.name)
  switch (task.stopCode) {
    case 'EssentialContainerExited':
      return end('EssentialContainerExited', 'EssentialContainerExited', exitOf(container), container?.name)
    case 'TaskFailedToStart':
      if (NO_CAPACITY.test(words)) return undefined
      return container?.exitCode === undefined
        ? end('TaskFailedToStart', 'TaskFailedToStart', textOf(words))
        : end('EssentialContainerExited', 'EssentialContainerExited', exitOf(container), container.name)
    case 'SpotInterruption':
    case 'TerminationNotice':
    case 'UserInitiated':
    case 'ServiceSchedulerInitiated':
    case 'InfrastructureHealth':
      return undefined
    default:
      if (NOT_THE_RELEASE.test(said)) return undefined
      return /essential container/i.test(said)
        ? end('EssentialContainerExited', 'EssentialContainerExited', exitOf(container), container?.name)
        : undefined
  }
}

/** The container to blame: essential ones before others, those with a reason first, those that were only ended with the task last. */
function culpritOf({ containers = [] }: Task, essential: ReadonlySet<string>): Container | undefined {
  const rank = ({ name, reason, exitCode }: Container): number => {
    const weight = essential.size > 0 && !essential.has(name ?? '') ? 10 : 0
    if (reason !== undefined && reason !== '') return weight
    if (exitCode === undefined) return weight + 5
    // What is ended together with its task gets SIGTERM, then SIGKILL; an essential program that ends by itself with 0 is to blame before those.
    return weight + (exitCode === 137 || exitCode === 143 ? 4 : exitCode === 0 ? 3 : 1)
  }
  return [...containers].sort((a, b) => rank(a) - rank(b))[0]
}

function unhealthyOf({ containers = [] }: Task): string | undefined {
  return containers.find(({ healthStatus }) => healthStatus === 'UNHEALTHY')?.name
}

const nameOf = (container: Container | undefined): string =>
  container?.name === undefined ? 'a container' : `container ${container.name}`

function exitOf(container: Container | undefined): string {
  const reason = foreignLine(container?.reason ?? '', 200)
  const why = reason === '' ? '' : ` (${reason})`
  if (container?.exitCode === undefined) return `${nameOf(container)} ended${why}`
  return `${nameOf(container)} ended with exit code ${container.exitCode}${why}`
}

const lower = (text: string): string => text.replace(/^Task /, 'it ').replace(/\.$/, '')

/** The words with what ECS puts in front of them twice taken off. */
function textOf(words: string): string {
  return words.replace(/^(.{20,}?)\s+\1/, '$1').replace(/\.$/, '')
}

/** `task 1a2b3c4d`: what a person looks for in the console. */
export function taskName(task: Task): string {
  return `task ${shortName(task.taskArn).slice(0, 12)}`
}
