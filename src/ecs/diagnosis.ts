// Why a service failed, with the evidence a person would look for next: stop code, exit code, the last lines of the logs. At most three culprits a service,
// equal causes told once. Every look-up may fail by itself and is then left out.
import type { Culprit } from '../deploy/platform.ts'
import { foreignLine, foreignText } from '../runner/foreign-text.ts'
import type { AwsApi } from './api.ts'
import { groups, tasksOf } from './judge/service.ts'
import { type ServiceSnapshot, shortName, timeOf } from './judge/snapshot.ts'
import { endOf, type TaskEnd, taskName } from './judge/stopped-task.ts'
import type { Definition } from './task-definition.ts'

const CULPRITS = 3
const LOG_LINES = 30
const EVENTS = 8

export async function diagnose(
  api: AwsApi,
  cluster: string,
  failed: readonly { readonly snapshot: ServiceSnapshot; readonly definition: Definition | undefined }[],
): Promise<readonly Culprit[]> {
  return (await Promise.all(failed.map(({ snapshot, definition }) => diagnoseService(api, cluster, snapshot, definition)))).flat()
}

async function diagnoseService(
  api: AwsApi,
  cluster: string,
  snapshot: ServiceSnapshot,
  definition: Definition | undefined,
): Promise<readonly Culprit[]> {
  const { expected, name } = snapshot
  const tasks = tasksOf(snapshot)
  const ends = groups(tasks.flatMap(task => endOf(task, expected.essential) ?? []))
  const events = eventsOf(snapshot)
  const culprits = ends.slice(0, CULPRITS).flatMap(group => {
    const last = group.at(-1)
    return last === undefined ? [] : [culpritOf(api, cluster, snapshot, definition, last, group.length, events)]
  })
  if (culprits.length > 0) return Promise.all(culprits)
  // Nothing has ended: what runs and is not well says it in its log.
  const sick = tasks.find(({ lastStatus }) => lastStatus === 'RUNNING')
  const container = sick === undefined ? undefined : [...expected.essential][0]
  if (sick === undefined && events.length === 0) return []
  return [
    {
      workload: name,
      where: sick === undefined ? name : taskName(sick),
      reason: '',
      message: events.at(-1) ?? 'it runs, and is not well',
      facts:
        sick === undefined
          ? []
          : [
              ['state', sick.lastStatus ?? ''],
              ['health', sick.healthStatus ?? ''],
            ],
      events,
      logs:
        sick === undefined || container === undefined ? [] : await logsOf(api, definition, container, shortName(sick.taskArn)),
      commands: [`aws ecs describe-services --cluster ${cluster} --services ${shortName(name)}`],
    },
  ]
}

async function culpritOf(
  api: AwsApi,
  cluster: string,
  { name }: ServiceSnapshot,
  definition: Definition | undefined,
  end: TaskEnd,
  times: number,
  events: readonly string[],
): Promise<Culprit> {
  const { task } = end
  const container = task.containers?.find(candidate => candidate.name === end.container)
  const id = shortName(task.taskArn)
  const facts: (readonly [string, string])[] = [
    ['stop code', task.stopCode ?? ''],
    ['reason', foreignLine(task.stoppedReason ?? '', 300)],
    ['image', foreignLine(container?.image ?? '', 300)],
    ['exit code', container?.exitCode === undefined ? '' : String(container.exitCode)],
    ['tasks', times === 1 ? '' : String(times)],
    ['zone', task.availabilityZone ?? ''],
    ['log', logElsewhere(api, definition, end.container) ?? ''],
  ]
  const logs = end.container === undefined ? [] : await logsOf(api, definition, end.container, id)
  return {
    workload: name,
    where: `${taskName(task)}${end.container === undefined ? '' : ` container ${end.container}`}`,
    reason: end.reason,
    message: end.message,
    facts: facts.filter(([, value]) => value !== ''),
    events,
    logs,
    commands: [`aws ecs describe-tasks --cluster ${cluster} --tasks ${id}`, ...logCommands(definition, end.container)],
  }
}

interface LogPlace {
  readonly group: string
  readonly prefix: string
  /** Undefined: that of the task. */
  readonly region: string | undefined
}

/** Where a container's lines are, when the awslogs driver takes them. */
function logPlace(definition: Definition | undefined, container: string | undefined): LogPlace | undefined {
  const { logConfiguration } = definition?.containerDefinitions?.find(({ name }) => name === container) ?? {}
  const group = logConfiguration?.options?.['awslogs-group']
  const prefix = logConfiguration?.options?.['awslogs-stream-prefix']
  if (logConfiguration?.logDriver !== 'awslogs' || group === undefined || prefix === undefined) return undefined
  return { group, prefix, region: logConfiguration.options?.['awslogs-region'] }
}

/** Where a container's lines are, when they go to another region than the one that is asked: they cannot be read then. */
export function logElsewhere(api: AwsApi, definition: Definition | undefined, container: string | undefined): string | undefined {
  const { group = '', region = api.region } = logPlace(definition, container) ?? {}
  return api.region === '' || region === api.region ? undefined : foreignLine(`log group ${group} in ${region}`, 300)
}

function logCommands(definition: Definition | undefined, container: string | undefined): readonly string[] {
  const place = logPlace(definition, container)
  return place === undefined
    ? []
    : [
        `aws logs tail ${place.group}${place.region === undefined ? '' : ` --region ${place.region}`} --log-stream-name-prefix ${place.prefix}/${container} --since 1h`,
      ]
}

/** The last lines of a task's container, where the awslogs driver takes them. None where they cannot be had. */
export async function logsOf(
  api: AwsApi,
  definition: Definition | undefined,
  container: string,
  task: string,
): Promise<Culprit['logs']> {
  const place = logPlace(definition, container)
  if (place === undefined || logElsewhere(api, definition, container) !== undefined) return []
  try {
    const answer = await api.call('logs', 'GetLogEvents', {
      logGroupName: place.group,
      logStreamName: `${place.prefix}/${container}/${task}`,
      limit: LOG_LINES,
      startFromHead: false,
    })
    const lines = (answer.events ?? [])
      .flatMap(({ message = '' }) => foreignText(message.trimEnd()).split('\n'))
      .filter(line => line !== '')
    return lines.length === 0 ? [] : [{ title: `Log, container ${container}`, lines: lines.slice(-LOG_LINES) }]
  } catch {
    return []
  }
}

function eventsOf({ service, expected }: ServiceSnapshot): readonly string[] {
  return (service?.events ?? [])
    .filter(({ createdAt }) => (timeOf(createdAt) ?? 0) + 1_000 >= expected.since)
    .toSorted((a, b) => (timeOf(a.createdAt) ?? 0) - (timeOf(b.createdAt) ?? 0))
    .slice(-EVENTS)
    .map(({ createdAt, message = '' }) => `${createdAt?.toISOString().slice(11, 19) ?? ''} ${foreignLine(message)}`)
}
