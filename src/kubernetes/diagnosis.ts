// Why a workload failed, with the evidence a person would look for next: state, exit code, events, the last lines of the logs. At most three culprits
// a workload, equal causes told once. Every look-up may fail by itself and is then left out.
import type { ContainerStatus, Event, Pod } from 'kubernetes-types/core/v1.js'
import type { Culprit } from '../deploy/platform.ts'
import type { Verdict } from '../deploy/verdict.ts'
import type { FilePosition } from '../runner/failure.ts'
import { foreignLine, foreignText } from '../runner/foreign-text.ts'
import type { KubernetesApi } from './api.ts'
import { failureOf } from './judge/ended-pod.ts'
import { eventTime } from './judge/events.ts'
import { followedKind } from './judge/kinds.ts'
import { isGone, isReady, judgePod, type PodFinding } from './judge/pod.ts'
import type { Snapshot } from './judge/workload.ts'
import { kubectlCommand, typedName } from './kubectl-commands.ts'
import type { Workload } from './release-watch.ts'

const CULPRITS = 3
const LOG_LINES = 30
const LOG_BYTES = 64 * 1024
const EVENTS = 8
/** The kubelet's own words, in place of a log that was cleared away. */
const LOG_IS_GONE = 'unable to retrieve container logs for '

/** A workload to be looked into. */
export interface Patient {
  readonly workload: Workload
  readonly snapshot: Snapshot
  /** Where the user's file declares the workload, or a container of it. */
  readonly position: (container: string | undefined) => FilePosition | undefined
  /** The command that shows the workload as it was deployed, from the release record; none where the record does not hold it. */
  readonly record: readonly string[]
}

/** How many workloads are looked into: of hundreds that failed alike, the first tell it all. */
const WORKLOADS = 10

/**
 * Of the workloads that have failed; where none has and the time is over, of all that are not healthy. Who the verdict names comes first.
 * @param context of the kubeconfig, for the commands
 */
export async function diagnose(
  api: KubernetesApi,
  context: string,
  verdict: Verdict,
  release: readonly Patient[],
): Promise<readonly Culprit[]> {
  const failed = verdict.workloads.filter(({ phase }) => phase === 'failed')
  const amiss = failed.length > 0 ? failed : verdict.workloads.filter(({ phase }) => phase !== 'healthy')
  const names = amiss.map(({ workload }) => workload)
  const looks = release
    .filter(({ snapshot }) => names.includes(snapshot.name))
    .toSorted((a, b) => names.indexOf(a.snapshot.name) - names.indexOf(b.snapshot.name))
    .slice(0, WORKLOADS)
    .map(patient => diagnoseWorkload(api, context, patient, verdict.culprit))
  return first((await Promise.all(looks)).flat(), ({ where }) => where === verdict.culprit)
}

const first = <T>(all: readonly T[], is: (one: T) => boolean): readonly T[] => [...all.filter(is), ...all.filter(one => !is(one))]

const whereOf = (pod: Pod, { container }: PodFinding): string =>
  `pod/${pod.metadata?.name ?? ''}${container === undefined ? '' : ` container ${container}`}`

async function diagnoseWorkload(
  api: KubernetesApi,
  context: string,
  patient: Patient,
  culprit: string,
): Promise<readonly Culprit[]> {
  const { workload, snapshot, position, record } = patient
  const { object } = snapshot
  const kind = object === undefined ? undefined : followedKind(object)
  if (object === undefined || kind === undefined) return []
  const newest = kind.pods(snapshot)
  // Old pods can be to blame too: a StatefulSet's that hold up its update.
  const held = object.kind === 'StatefulSet' && !newest.some(pod => !isGone(pod) && !isReady(pod))
  const candidates = held ? [...newest, ...snapshot.pods] : newest
  const pods = [...new Set(candidates)]
  const ended = pods.some(pod => !isGone(pod)) && object.kind !== 'Job' ? [] : pods.filter(isGone)
  const found = pods.flatMap(pod => {
    const uid = pod.metadata?.uid ?? ''
    const findings = judgePod({
      pod,
      events: snapshot.events(uid),
      restartsBefore: container => snapshot.restartsBefore(uid, container),
      floor: snapshot.since,
      now: api.now(),
    })
    const failure = findings.length === 0 && ended.includes(pod) ? failureOf(pod) : undefined
    return [...findings, ...(failure === undefined ? [] : [failure])]
      .slice(0, 1)
      .map(finding => ({ pod, finding, events: snapshot.events(uid) }))
  })
  const ordered = first(found, ({ pod, finding }) => whereOf(pod, finding) === culprit)
  const byCause = Map.groupBy(ordered, ({ finding }) => `${finding.reason}/${finding.container ?? ''}`)
  const culprits = [...byCause.values()]
    .flatMap(([entry]) => entry ?? [])
    .slice(0, CULPRITS)
    .map(entry => diagnosePod(api, context, patient, entry))
  if (culprits.length > 0) return Promise.all(culprits)
  // Pods that could not be created are told of by whoever was to create them.
  const makers = [object, ...snapshot.replicaSets] as readonly Maker[]
  const maker = makers.find(({ status }) => refusalOf(status) !== undefined) ?? object
  const condition = refusalOf((maker as Maker).status)
  const events = makers
    .flatMap(({ metadata }) => snapshot.events(metadata?.uid ?? ''))
    .toSorted((a, b) => eventTime(a) - eventTime(b))
  if (condition === undefined && events.length === 0) return []
  const where = maker === object ? `${object.kind.toLowerCase()}/${workload.name}` : `replicaset/${maker.metadata?.name ?? ''}`
  return [
    {
      workload: snapshot.name,
      where,
      reason: condition?.reason ?? '',
      message: foreignLine(condition?.message ?? ''),
      facts: [],
      events: events.slice(-EVENTS).map(eventLine),
      logs: [],
      commands: [
        kubectlCommand(context, workload.namespace, 'describe', typedName(workload)),
        ...(workload.namespace === ''
          ? []
          : [kubectlCommand(context, workload.namespace, 'get', 'events', '--sort-by=.lastTimestamp')]),
      ],
      lastingCommands: [
        kubectlCommand(
          context,
          workload.namespace,
          'get',
          'events',
          `--field-selector=involvedObject.name=${maker.metadata?.name ?? ''}`,
        ),
        ...record,
      ],
      ...positioned(position(undefined)),
    },
  ]
}

interface Maker {
  readonly metadata?: { readonly uid?: string; readonly name?: string }
  readonly status?: { readonly conditions?: readonly { type?: string; status?: string; reason?: string; message?: string }[] }
}

function refusalOf(status: Maker['status']): { reason?: string; message?: string } | undefined {
  return status?.conditions?.find(condition => condition.type === 'ReplicaFailure' && condition.status === 'True')
}

function positioned(at: FilePosition | undefined): { at?: FilePosition } {
  return at === undefined ? {} : { at }
}

async function diagnosePod(
  api: KubernetesApi,
  context: string,
  { workload, snapshot, position, record }: Patient,
  entry: { pod: Pod; finding: PodFinding; events: readonly Event[] },
): Promise<Culprit> {
  const { pod, finding, events } = entry
  const podName = pod.metadata?.name ?? ''
  const { container } = finding
  const status = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])].find(
    candidate => candidate.name === container,
  )
  const kubectl = (...words: readonly string[]): string => kubectlCommand(context, workload.namespace, ...words)
  const spoke = container !== undefined && hasRun(status)
  return {
    workload: snapshot.name,
    where: whereOf(pod, finding),
    reason: finding.reason,
    message: finding.message,
    facts: facts(pod, status),
    events: events.slice(-EVENTS).map(eventLine),
    logs: container === undefined ? [] : await logs(api, workload.namespace, podName, container, status),
    commands: [
      kubectl('describe', `pod/${podName}`),
      ...(spoke ? [kubectl('logs', podName, '-c', container)] : []),
      ...(spoke && (status?.restartCount ?? 0) > 0 ? [kubectl('logs', podName, '-c', container, '--previous')] : []),
      kubectl('get', typedName(workload), '-o', 'yaml'),
    ],
    lastingCommands: [
      kubectl('get', 'events', `--field-selector=involvedObject.name=${podName}`, '--sort-by=.lastTimestamp'),
      ...record,
    ],
    ...positioned(position(container)),
  }
}

function facts(pod: Pod, status: ContainerStatus | undefined): readonly (readonly [string, string])[] {
  const node = pod.spec?.nodeName
  const ended = status?.state?.terminated ?? status?.lastState?.terminated
  const state =
    status?.state?.waiting?.reason ?? (status?.state?.running === undefined ? status?.state?.terminated?.reason : 'Running')
  return [
    ['node', node ?? 'none'],
    ...(status === undefined
      ? []
      : [
          ['image', imageOf(pod, status.name) ?? status.image ?? ''] as const,
          ['state', state ?? 'unknown'] as const,
          ['restarts', String(status.restartCount ?? 0)] as const,
        ]),
    ...(ended === undefined
      ? []
      : [['last exit', `code ${ended.exitCode}${ended.reason === undefined ? '' : `, ${ended.reason}`}`] as const]),
  ]
}

/** As it was asked for: the status may name it by any other tag that the node has for the same content. */
function imageOf({ spec }: Pod, container: string): string | undefined {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(({ name }) => name === container)?.image
}

/** The current run's last lines and the previous run's: a container in its back-off has both, or only the one that just ended. */
async function logs(
  api: KubernetesApi,
  namespace: string,
  pod: string,
  container: string,
  status: ContainerStatus | undefined,
): Promise<Culprit['logs']> {
  if (!hasRun(status)) return []
  const kinds = [
    { previous: 'false', title: 'Log' },
    ...((status?.restartCount ?? 0) > 0 ? [{ previous: 'true', title: 'Log of the run before' }] : []),
  ]
  const found = await Promise.all(
    kinds.map(async ({ previous, title }) => {
      try {
        const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log`
        const text = await api.text(path, {
          query: { container, previous, tailLines: String(LOG_LINES), limitBytes: String(LOG_BYTES) },
          limitBytes: LOG_BYTES,
        })
        const lines = foreignText(text.trimEnd(), LOG_BYTES).split('\n')
        return {
          title: `${title}, container ${container}`,
          lines: lines.filter(line => line !== '' && !line.startsWith(LOG_IS_GONE)),
        }
      } catch {
        return { title, lines: [] }
      }
    }),
  )
  const spoken = found.filter(log => log.lines.length > 0)
  return spoken.filter((log, index) => index === 0 || log.lines.join('\n') !== spoken[0]?.lines.join('\n'))
}

function hasRun(status: ContainerStatus | undefined): boolean {
  return (status?.restartCount ?? 0) > 0 || status?.state?.running !== undefined || status?.state?.terminated !== undefined
}

function eventLine(event: Event): string {
  const times = (event.count ?? 1) > 1 ? ` (${event.count} times)` : ''
  return `${new Date(eventTime(event)).toISOString().slice(11, 19)} ${event.reason ?? ''}: ${foreignLine(event.message ?? '')}${times}`
}
