// What a release is to make live, as steps: from a user's manifests, or from an earlier release's record.
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import type { KubernetesApi } from './api.ts'
import type { SetImageEntry } from './image-entries.ts'
import { containerImages } from './images.ts'
import type { Manifest } from './manifests.ts'
import { type KubernetesObject, objectKey, objectName } from './objects.ts'
import { lastVerified, liveRecord, type ObjectState, type ReleaseRecord, recordsThereAre } from './release-record.ts'
import { FIELD_MANAGER, readLive, type Step } from './steps.ts'

const NOWHERE = (): FilePosition | undefined => undefined

/** A manifest's step: server-side apply. */
export function stepFromManifest(manifest: Manifest, live: KubernetesObject | undefined, keepReplicas: boolean): Step {
  return {
    action: 'apply',
    body: manifest.object,
    live,
    before: live,
    desired: undefined,
    fieldManager: FIELD_MANAGER,
    keepReplicas,
    position: path => manifest.position(path),
  }
}

/**
 * A step that sets the image of one container (or of all, `*`) of a workload that is live and not among the manifests. Its field manager is one of its
 * own: under ours, server-side apply would take every other field for dropped.
 */
export async function stepFromSetImage(
  api: KubernetesApi,
  apiVersion: string,
  entries: readonly SetImageEntry[],
  namespace: string,
): Promise<Step> {
  const [first] = entries
  if (first === undefined) throw new Error('a set-image step needs an entry')
  const reference: KubernetesObject = { apiVersion, kind: first.kind, metadata: { name: first.name, namespace } }
  const live = await readLive(api, reference)
  if (live === undefined)
    throw new ExpectedFailure(
      'NotFound',
      `set-image: there is no ${objectName(reference)} in namespace ${namespace}; nothing was changed.`,
    )
  const images = containerImages(live)
  const template: Record<string, { name: string; image: string }[]> = {}
  for (const entry of entries) {
    const matching = images.filter(image => entry.container === '*' || image.container === entry.container)
    if (matching.length === 0) {
      const names = images.map(image => image.container).join(', ')
      throw new ExpectedFailure(
        'InvalidInput',
        `set-image: ${objectName(reference)} has no container "${entry.container}"; it has ${names}. Nothing was changed.`,
      )
    }
    for (const image of matching) {
      const field = image.init ? 'initContainers' : 'containers'
      template[field] = [
        ...(template[field] ?? []).filter(other => other.name !== image.container),
        { name: image.container, image: entry.reference },
      ]
    }
  }
  const body: KubernetesObject = { ...reference, spec: templateSpec(first.kind, template) }
  return {
    action: 'apply',
    body,
    live,
    before: live,
    desired: undefined,
    fieldManager: `${FIELD_MANAGER}-set-image`,
    keepReplicas: false,
    position: NOWHERE,
  }
}

function templateSpec(kind: string, containers: unknown): unknown {
  if (kind === 'Pod') return containers
  const spec = { template: { spec: containers } }
  return kind === 'CronJob' ? { jobTemplate: { spec: spec } } : spec
}

export type RollbackTarget = 'previous' | 'last-verified' | number

/** The release that a rollback puts back, and the one that it takes away. */
export interface RollbackChoice {
  /** Its number; 0 where it is what was live before the first record. */
  readonly number: number
  readonly states: readonly ObjectState[]
  readonly bad: ReleaseRecord
}

/**
 * Chooses what a rollback puts back. A release that failed or was rolled back is never chosen, nor what is live.
 * @throws ExpectedFailure NotFound naming the releases there are
 */
export function chooseRollback(
  records: readonly ReleaseRecord[],
  to: RollbackTarget,
  address: (number: number) => string,
): RollbackChoice {
  const bad = liveRecord(records)
  if (bad === undefined)
    throw new ExpectedFailure(
      'NotFound',
      `There is no live release to roll back from: ${recordsThereAre(records)}. Nothing was changed.`,
    )
  const effective = effectiveNumber(bad)
  const older = records.filter(
    record =>
      record.number !== bad.number && record.number < effective && (record.status === 'deployed' || record.status === 'verified'),
  )
  if (typeof to === 'number') return byNumber(records, to, bad, address)
  const chosen = to === 'previous' ? older[0] : lastVerified(older)
  if (chosen !== undefined) return { number: chosen.number, states: chosen.content().objects, bad }
  if (to === 'last-verified') {
    throw new ExpectedFailure(
      'NotFound',
      `No release before ${address(effective)} was ever verified (${recordsThereAre(records)}); nothing was changed. Use to: previous or a number; smoke-test's input verifies marks a release verified.`,
    )
  }
  const origin = records.find(record => record.number === effective) ?? bad
  const states = origin.content().objects
  if (origin.content().previous === 0 && states.some(state => state.before !== undefined))
    return { number: 0, states: states.map(state => ({ ...state, after: state.before })), bad }
  throw new ExpectedFailure(
    'NotFound',
    `There is no release before ${address(effective)} (${recordsThereAre(records)}); nothing was changed.`,
  )
}

/** A release that put another one back counts as that other one. */
function effectiveNumber(record: ReleaseRecord): number {
  const { restores } = record.content()
  return restores === 0 ? record.number : restores
}

function byNumber(
  records: readonly ReleaseRecord[],
  to: number,
  bad: ReleaseRecord,
  address: (number: number) => string,
): RollbackChoice {
  const record = records.find(candidate => candidate.number === to)
  if (record === undefined)
    throw new ExpectedFailure('NotFound', `There is no release ${address(to)}: ${recordsThereAre(records)}. Nothing was changed.`)
  if (record.status === 'pending' || record.status === 'failed') {
    throw new ExpectedFailure(
      'InvalidInput',
      `Release ${address(to)} is ${record.status}: it never came up, so it cannot be gone back to (${recordsThereAre(records)}). Nothing was changed.`,
    )
  }
  return { number: record.number, states: record.content().objects, bad }
}

/** Objects that releases after the chosen one created, and that the chosen one does not have. */
export function createdSince(records: readonly ReleaseRecord[], choice: RollbackChoice): readonly KubernetesObject[] {
  const kept = new Set(choice.states.map(state => objectKey(state.reference)))
  const later = records.filter(
    record => record.number > choice.number && (record.status === 'deployed' || record.status === 'verified'),
  )
  const created = later.flatMap(record =>
    record
      .content()
      .objects.filter(state => state.before === undefined && state.after !== undefined)
      .map(state => state.reference),
  )
  return [...new Map(created.filter(object => !kept.has(objectKey(object))).map(object => [objectKey(object), object])).values()]
}

export async function stepsFromRecord(
  api: KubernetesApi,
  records: readonly ReleaseRecord[],
  choice: RollbackChoice,
  scaled: (object: KubernetesObject) => boolean,
): Promise<Step[]> {
  const wanted = choice.states.map(state => ({ reference: state.reference, body: state.after }))
  const surplus = createdSince(records, choice).map(reference => ({ reference, body: undefined }))
  return Promise.all(
    [...wanted, ...surplus].map(async ({ reference, body }): Promise<Step> => {
      const live = await readLive(api, reference)
      const keepReplicas = body !== undefined && (scaled(body) || !statesReplicas(body))
      return {
        action: body === undefined ? 'delete' : 'put',
        body: body ?? reference,
        live,
        before: live,
        desired: body,
        fieldManager: FIELD_MANAGER,
        keepReplicas,
        position: NOWHERE,
      }
    }),
  )
}

/** Whether the release's own manifest set the number of replicas; where it did not, an older number must not shrink what somebody has scaled up since. */
function statesReplicas(object: KubernetesObject): boolean {
  return (object.metadata.managedFields ?? []).some(
    entry =>
      entry.manager === FIELD_MANAGER &&
      entry.operation === 'Apply' &&
      'f:replicas' in ((entry.fieldsV1?.['f:spec'] as object | undefined) ?? {}),
  )
}
