// What the inputs `images` and `set-image` say, one entry a line. Read at the start of a step, so nothing heavy is imported here.
import { type ImageReference, parseReference } from '../image/reference.ts'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { InputFault } from '../runner/inputs.ts'

/** An entry of the `images` input: every image of `repository` becomes `reference`. */
export interface ImageEntry {
  readonly repository: ImageReference
  readonly reference: string
}

export interface SetImageEntry {
  /** As manifests spell it: `Deployment`. */
  readonly kind: string
  readonly name: string
  /** `*` for all containers, init containers included, as kubectl does. */
  readonly container: string
  readonly reference: string
}

/** Parses `name=reference`. Throws InputFault. */
export function parseImageEntry(entry: string): ImageEntry {
  const equals = entry.indexOf('=')
  const shown = `"${foreignLine(entry, 200)}"`
  if (equals < 1 || equals === entry.length - 1)
    throw new InputFault(`${shown} is not written name=reference, such as ghcr.io/acme/web=ghcr.io/acme/web:1.4.2`)
  const repository = checkedReference(entry.slice(0, equals).trim(), shown)
  if (repository.tag !== undefined || repository.digest !== undefined)
    throw new InputFault(
      `${shown} names a tag or a digest before the "="; write the repository alone, all its images are replaced`,
    )
  const to = entry.slice(equals + 1).trim()
  checkedReference(to, shown)
  return { repository, reference: to }
}

/** Kinds whose images can be set, with kubectl's plural and short names. */
const KINDS: readonly { readonly kind: string; readonly group: string; readonly names: readonly string[] }[] = [
  { kind: 'Deployment', group: 'apps', names: ['deployment', 'deployments', 'deploy'] },
  { kind: 'StatefulSet', group: 'apps', names: ['statefulset', 'statefulsets', 'sts'] },
  { kind: 'DaemonSet', group: 'apps', names: ['daemonset', 'daemonsets', 'ds'] },
  { kind: 'ReplicaSet', group: 'apps', names: ['replicaset', 'replicasets', 'rs'] },
  { kind: 'ReplicationController', group: '', names: ['replicationcontroller', 'replicationcontrollers', 'rc'] },
  { kind: 'Pod', group: '', names: ['pod', 'pods', 'po'] },
  { kind: 'Job', group: 'batch', names: ['job', 'jobs'] },
  { kind: 'CronJob', group: 'batch', names: ['cronjob', 'cronjobs', 'cj'] },
  { kind: 'Rollout', group: 'argoproj.io', names: ['rollout', 'rollouts', 'ro'] },
]

const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const CONTAINER_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** Parses `deployment/web app=reference`. Throws InputFault. */
export function parseSetImageEntry(entry: string): SetImageEntry {
  const shown = `"${foreignLine(entry, 200)}"`
  const words = entry.trim().split(/\s+/)
  const [workload = '', assignment = ''] = words
  const equals = assignment.indexOf('=')
  const slash = workload.indexOf('/')
  if (words.length > 2) throw new InputFault(`${shown} holds more than one container; write one a line`)
  if (slash < 1 || equals < 1)
    throw new InputFault(
      `${shown} is not written kind/name container=reference, such as deployment/web app=ghcr.io/acme/web:1.4.2`,
    )
  const [written, name] = [workload.slice(0, slash), workload.slice(slash + 1)]
  const kind = kindNamed(written)
  if (kind === undefined) {
    const names = KINDS.flatMap(known => known.names)
    const near = closest(written, names)
    const hint = near === undefined ? `write one of ${KINDS.map(known => known.names[0]).join(', ')}` : `did you mean ${near}?`
    throw new InputFault(`in ${shown}, "${foreignLine(written, 60)}" is no kind whose image can be set; ${hint}`)
  }
  if (!OBJECT_NAME.test(name)) throw new InputFault(`in ${shown}, "${foreignLine(name, 60)}" is no name of a ${kind}`)
  const container = assignment.slice(0, equals)
  if (container !== '*' && !CONTAINER_NAME.test(container))
    throw new InputFault(`in ${shown}, "${foreignLine(container, 60)}" is no container's name`)
  const reference = assignment.slice(equals + 1)
  checkedReference(reference, shown)
  return { kind, name, container, reference }
}

/** The API group of a kind that `set-image` takes; undefined for others. */
export function groupOfSettable(kind: string): string | undefined {
  return KINDS.find(known => known.kind === kind)?.group
}

function kindNamed(written: string): string | undefined {
  const lower = written.toLowerCase()
  return KINDS.find(({ names, group }) => names.some(name => lower === name || lower === `${name}.${group}`))?.kind
}

/** The parsed reference; what is wrong with it as an InputFault. */
function checkedReference(text: string, entry: string): ImageReference {
  try {
    return parseReference(text)
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw error
    throw new InputFault(`in ${entry}, ${error.message.replace(/\.$/, '')}`)
  }
}
