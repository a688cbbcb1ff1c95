// A service's tasks, read as far as its verdict needs them: those that stopped first, for they say what went wrong, then those that run.
import type { Task } from '@aws-sdk/client-ecs'
import type { AwsApi } from './api.ts'

/** ListTasks answers, and DescribeTasks takes, no more. */
const AT_ONCE = 100
/**
 * So many that run, and so many that have stopped within the last hour, are read: ten pages of each fit into the time between two polls and into ECS's rate for
 * reads. Of a larger service so many say what the others would.
 */
export const MOST_TASKS = 1_000

export interface TasksWanted {
  readonly cluster: string
  readonly service: string
  /** Whether those that run are wanted as well. */
  readonly running: boolean
}

/**
 * Brings `known`, by ARN, up to date. A task is described until it has stopped, or runs; one that runs is described again only where a call has room for it.
 * @returns false where there are more than are read
 */
export async function readTasks(
  api: Pick<AwsApi, 'call'>,
  { cluster, service, running: wantsRunning }: TasksWanted,
  known: Map<string, Task>,
): Promise<boolean> {
  const [stopped, running] = await Promise.all([
    list(api, cluster, service, 'STOPPED'),
    wantsRunning ? list(api, cluster, service, 'RUNNING') : { arns: [], all: true },
  ])
  const there = new Set([...running.arns, ...stopped.arns])
  for (const [arn, task] of known) if (!there.has(arn) && task.lastStatus !== 'STOPPED') known.delete(arn)
  const isStill = (status: string, arn: string): boolean => known.get(arn)?.lastStatus === status
  const moving = new Set([
    ...stopped.arns.filter(arn => !isStill('STOPPED', arn)),
    ...running.arns.filter(arn => !isStill('RUNNING', arn)),
  ])
  const wanted = [...new Set([...moving, ...running.arns])].slice(0, AT_ONCE * Math.max(1, Math.ceil(moving.size / AT_ONCE)))
  for (let from = 0; from < wanted.length; from += AT_ONCE) {
    const { tasks = [] } = await api.call('ecs', 'DescribeTasks', { cluster, tasks: wanted.slice(from, from + AT_ONCE) })
    for (const task of tasks) if (task.taskArn !== undefined) known.set(task.taskArn, task)
  }
  return stopped.all && running.all
}

async function list(
  api: Pick<AwsApi, 'call'>,
  cluster: string,
  serviceName: string,
  desiredStatus: 'RUNNING' | 'STOPPED',
): Promise<{ readonly arns: readonly string[]; readonly all: boolean }> {
  const arns: string[] = []
  let nextToken: string | undefined
  do {
    const input = { cluster, serviceName, desiredStatus, maxResults: AT_ONCE, ...(nextToken === undefined ? {} : { nextToken }) }
    const page = await api.call('ecs', 'ListTasks', input)
    arns.push(...(page.taskArns ?? []))
    nextToken = page.nextToken
  } while (nextToken !== undefined && arns.length < MOST_TASKS)
  return { arns, all: nextToken === undefined }
}
