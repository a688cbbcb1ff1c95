// What a release is to make live, as steps: from a user's manifests, or from an earlier release's record.
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { KubernetesApi } from './api.ts'
import { SET_IMAGE_MANAGER } from './field-ownership.ts'
import type { SetImageEntry } from './image-entries.ts'
import { type ContainerImage, containerImages } from './images.ts'
import type { Manifest } from './manifests.ts'
import { groupOf, type KubernetesObject, objectKey, objectName } from './objects.ts'
import {
  cameUp,
  explainInventoryOnly,
  inventoryOf,
  isLeft,
  knownStates,
  lastVerified,
  type ObjectState,
  type RecordContent,
  type ReleaseRecord,
  recordsThereAre,
} from './release-record.ts'
import { FIELD_MANAGER, readLive, runsOnce, type Step } from './steps.ts'

const NOWHERE = (): FilePosition | undefined => undefined

/** A manifest's step: server-side apply. */
export function stepFromManifest(manifest: Manifest, live: KubernetesObject | undefined, keepReplicas: boolean): Step {
  return {
    action: 'apply',
    body: withEncodedStrings(manifest.object),
    live,
    before: live,
    desired: undefined,
    fieldManager: FIELD_MANAGER,
    keepReplicas,
    position: path => manifest.position(path),
    ...(manifest.hook === undefined ? {} : { hook: manifest.hook }),
  }
}

/**
 * A Secret's `stringData` as `data`: the server writes it there but keeps no books of it, so that a key which a later manifest drops would stay. What
 * is no text is left for the server to refuse.
 */
function withEncodedStrings(object: KubernetesObject): KubernetesObject {
  const { stringData, data, ...rest } = object as KubernetesObject & { stringData?: unknown; data?: Record<string, string> }
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1' || typeof stringData !== 'object' || stringData === null)
    return object
  const entries = Object.entries(stringData as Record<string, unknown>)
  if (entries.some(([, value]) => typeof value !== 'string')) return object
  const encoded = Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value as string).toString('base64')]))
  return { ...rest, data: { ...data, ...encoded } }
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
  const put = (image: ContainerImage, reference: string): void => {
    const field = image.init ? 'initContainers' : 'containers'
    const others = (template[field] ?? []).filter(({ name }) => name !== image.container)
    template[field] = [...others, { name: image.container, image: reference }]
  }
  // What this manager set before and says nothing of now would be removed.
  const set = setBefore(live)
  for (const image of images) if (set.has(image.container)) put(image, image.image)
  // One container's own entry decides over the one for all.
  for (const entry of entries.toSorted((a, b) => Number(b.container === '*') - Number(a.container === '*'))) {
    const matching = images.filter(image => entry.container === '*' || image.container === entry.container)
    if (matching.length === 0) {
      const names = images.map(image => image.container).join(', ')
      throw new ExpectedFailure(
        'InvalidInput',
        `set-image: ${objectName(reference)} has no container "${entry.container}"; it has ${names}. Nothing was changed.`,
      )
    }
    for (const image of matching) put(image, entry.reference)
  }
  const lists = first.kind === 'Rollout' ? wholeLists(live, template) : template
  const body: KubernetesObject = { ...reference, spec: templateSpec(first.kind, lists) }
  return {
    action: 'apply',
    body,
    live,
    before: live,
    desired: undefined,
    fieldManager: SET_IMAGE_MANAGER,
    keepReplicas: false,
    position: NOWHERE,
  }
}

/** The containers whose images an earlier step of this kind has set, as the object's books have it. */
function setBefore({ metadata: { managedFields = [] } }: KubernetesObject): ReadonlySet<string> {
  const names = new Set<string>()
  const search = (fields: unknown): void => {
    for (const [key, below] of Object.entries((fields ?? {}) as Record<string, unknown>)) {
      if (key === 'f:containers' || key === 'f:initContainers')
        for (const item of Object.keys((below ?? {}) as object))
          if (item.startsWith('k:')) names.add(String((JSON.parse(item.slice(2)) as { name?: unknown }).name))
      if (key.startsWith('f:')) search(below)
    }
  }
  for (const { manager, operation, fieldsV1 } of managedFields)
    if (manager === SET_IMAGE_MANAGER && operation === 'Apply') search(fieldsV1)
  return names
}

/**
 * The lists of a custom resource are atomic unless its definition says otherwise, as that of Argo Rollouts has done only since 1.9: what is applied is all
 * there is then. So the containers go as they are live, but for the images.
 */
function wholeLists(
  live: KubernetesObject,
  template: Readonly<Record<string, readonly { readonly name: string; readonly image: string }[]>>,
): Record<string, unknown> {
  const { spec } = live as { spec?: { template?: { spec?: Record<string, readonly { readonly name: string }[] | undefined> } } }
  return Object.fromEntries(
    Object.entries(template).map(([field, images]) => [
      field,
      (spec?.template?.spec?.[field] ?? []).map(container => ({
        ...container,
        ...images.find(({ name }) => name === container.name),
      })),
    ]),
  )
}

function templateSpec(kind: string, containers: unknown): unknown {
  if (kind === 'Pod') return containers
  const spec = { template: { spec: containers } }
  return kind === 'CronJob' ? { jobTemplate: { spec: spec } } : spec
}

/**
 * A tag of any of the release's images, and the digests that it stands for, by which images may be named; a revision as the outputs of its deployment
 * had it, `4` or `deployment/web=4`.
 */
export type RollbackTarget =
  | 'previous'
  | 'last-verified'
  | number
  | { readonly tag: string; readonly digests?: ReadonlySet<string> | undefined }
  | { readonly revision: string }

/** The release that a rollback puts back, and the one that it takes away. */
export interface RollbackChoice {
  /** Its number; 0 where it is what was live before the first record. */
  readonly number: number
  readonly states: readonly ObjectState[]
  /** The commit it was deployed from; empty where that is not known. */
  readonly commit: string
  readonly bad: ReleaseRecord
  /** The numbers of the releases that are rolled back with `bad`: itself, and what it had put back. None of them is gone back to again. */
  readonly replaces: readonly number[]
}

/**
 * Chooses what a rollback puts back. A release that failed or was rolled back is never chosen, nor what is live. What is taken away is what is live:
 * the newest release that came up, that failed and was left as it is, or whose run died in the middle.
 * @throws ExpectedFailure NotFound naming the releases there are
 */
export function chooseRollback(
  records: readonly ReleaseRecord[],
  to: RollbackTarget,
  address: (number: number) => string,
): RollbackChoice {
  const bad = records.find(record => isLeft(record) || record.status === 'pending')
  if (bad === undefined)
    throw new ExpectedFailure(
      'NotFound',
      `There is no live release to roll back from: ${recordsThereAre(records)}. Nothing was changed.`,
    )
  const replaces = cameUp(bad) ? originsOf(bad, records) : [bad.number]
  if (typeof to === 'number') return { ...byNumber(records, to, address), bad, replaces }
  if (typeof to === 'object') return { ...chosenFrom(bySign(records, to), address), bad, replaces }
  const effective = cameUp(bad) ? effectiveNumber(bad, records) : bad.number
  const older = records.filter(
    record => cameUp(record) && record.number < bad.number && effectiveNumber(record, records) < effective,
  )
  const chosen = to === 'previous' ? older[0] : lastVerified(older)
  if (chosen !== undefined) return { ...chosenFrom(chosen, address), bad, replaces }
  if (to === 'last-verified') {
    throw new ExpectedFailure(
      'NotFound',
      `No release before ${address(bad.number)} was ever verified (${recordsThereAre(records)}); nothing was changed. Use to: previous or a number; smoke-test's input verifies marks a release verified.`,
    )
  }
  const origin = records.find(record => record.number === effective)
  const before = origin?.content()
  // The record of what was there before it was trimmed away, or there never was one: the release itself still knows.
  const unrecorded = before !== undefined && !records.some(record => record.number === before.previous)
  if (before !== undefined && unrecorded && before.inventory?.some(entry => entry.before) === true) {
    throw new ExpectedFailure(
      'NotFound',
      `What was live before ${address(effective)} is written down nowhere: its objects were too large for the release record. Nothing was changed.`,
    )
  }
  if (before !== undefined && unrecorded && before.objects.some(state => state.before !== undefined))
    return {
      number: before.previous,
      states: before.objects.map(state => ({ ...state, after: state.before })),
      commit: '',
      bad,
      replaces,
    }
  throw new ExpectedFailure(
    'NotFound',
    `There is no release before ${address(bad.number)} (${recordsThereAre(records)}); nothing was changed.`,
  )
}

/** A release that put another one back counts as that other one; one that put back what was live before the first counts as 0. */
function effectiveNumber(record: ReleaseRecord, records: readonly ReleaseRecord[]): number {
  if (record.content().restoresOriginal === true) return 0
  return originsOf(record, records).at(-1) ?? record.number
}

/** The release's own number, that of the release it put back, that of the release which that one had put back, and so on. */
function originsOf(record: ReleaseRecord, records: readonly ReleaseRecord[]): readonly number[] {
  const { restores } = record.content()
  if (restores === 0 || restores >= record.number) return [record.number]
  const origin = records.find(candidate => candidate.number === restores)
  return [record.number, ...(origin === undefined ? [restores] : originsOf(origin, records))]
}

function byNumber(
  records: readonly ReleaseRecord[],
  to: number,
  address: (number: number) => string,
): Pick<RollbackChoice, 'number' | 'states' | 'commit'> {
  const record = records.find(candidate => candidate.number === to)
  if (record === undefined)
    throw new ExpectedFailure('NotFound', `There is no release ${address(to)}: ${recordsThereAre(records)}. Nothing was changed.`)
  if (record.status === 'pending' || record.status === 'failed') {
    throw new ExpectedFailure(
      'InvalidInput',
      `Release ${address(to)} is ${record.status}: it never came up, so it cannot be gone back to (${recordsThereAre(records)}). Nothing was changed.`,
    )
  }
  return chosenFrom(record, address)
}

/** The newest release with that sign, among those that came up. One that was taken back again is only chosen where no other has it. */
function bySign(records: readonly ReleaseRecord[], to: Exclude<RollbackTarget, string | number>): ReleaseRecord {
  const [what, wanted, signsOf] =
    'tag' in to
      ? (['tag', to.tag, (content: RecordContent) => [...tagsOf(content), ...tagByDigest(content, to)]] as const)
      : (['revision', to.revision, revisionsOf] as const)
  const came = records.filter(record => cameUp(record) || record.status === 'rolled-back')
  const having = came.filter(record => signsOf(record.content()).includes(wanted))
  const found = having.find(cameUp) ?? having[0]
  if (found !== undefined) return found
  const there = came.slice(0, 10).flatMap(record =>
    signsOf(record.content())
      .slice(0, 3)
      .map(sign => `${sign} (release ${record.number})`),
  )
  throw new ExpectedFailure(
    'NotFound',
    `No release that came up has the ${what} ${wanted}: there ${there.length === 0 ? 'is none with any' : `are ${foreignLine(there.join(', '), 600)}`}. Nothing was changed.`,
  )
}

/** Whether an image of any release is named by that tag; where it is not, the tag may be found by what it stands for. */
export function isTagNamed(records: readonly ReleaseRecord[], tag: string): boolean {
  return records.some(record => tagsOf(record.content()).includes(tag))
}

/** The images of all releases. */
export function imagesOfAll(records: readonly ReleaseRecord[]): readonly string[] {
  return [...new Set(records.flatMap(record => Object.values(record.content().images)))]
}

function tagByDigest(
  { images }: RecordContent,
  { tag, digests = new Set() }: Extract<RollbackTarget, { tag: string }>,
): readonly string[] {
  return Object.values(images).some(image => digests.has(image.slice(image.indexOf('@') + 1))) ? [tag] : []
}

function tagsOf({ images }: RecordContent): readonly string[] {
  const tags = Object.values(images).flatMap(
    image => /:([\w][\w.-]*)(?:@[\w:]+)?$/.exec(image.replace(/@[\w:]+$/, ''))?.[1] ?? [],
  )
  return [...new Set(tags)]
}

function revisionsOf({ revision = '' }: RecordContent): readonly string[] {
  return revision === '' ? [] : [revision, ...revision.split(' ')]
}

function chosenFrom(
  record: ReleaseRecord,
  address: (number: number) => string,
): Pick<RollbackChoice, 'number' | 'states' | 'commit'> {
  const content = record.content()
  if (content.inventory === undefined) return { number: record.number, states: content.objects, commit: content.commit }
  throw new ExpectedFailure('NotFound', `${explainInventoryOnly(address(record.number), content)} Nothing was changed.`)
}

/** Kinds that hold what others, or the app itself, have put there since they were created: neither a rollback nor a release removes them. */
const KEPT = ['/Namespace', 'apiextensions.k8s.io/CustomResourceDefinition', '/PersistentVolumeClaim', '/PersistentVolume']

export function holdsWhatOthersPut(object: KubernetesObject): boolean {
  return KEPT.includes(`${groupOf(object.apiVersion)}/${object.kind}`)
}

/**
 * The objects that the chosen release does not have but releases after it do, each as it was before the first of these touched it: absent where that
 * one created it.
 */
export function touchedSince(records: readonly ReleaseRecord[], choice: RollbackChoice): readonly ObjectState[] {
  const own = new Set(choice.states.map(state => objectKey(state.reference)))
  const later = records.filter(record => record.number > choice.number).toReversed()
  const inEffect = new Set(
    later
      .filter(record => isLeft(record) || record.status === 'pending')
      .flatMap(record => inventoryOf(record.content()).map(({ reference }) => objectKey(reference))),
  )
  const first = new Map<string, ObjectState>()
  for (const state of later.flatMap(record => knownStates(record.content()))) {
    const key = objectKey(state.reference)
    if (!own.has(key) && inEffect.has(key) && !first.has(key)) first.set(key, { ...state, after: state.before })
  }
  return [...first.values()]
}

/** Objects that later releases changed, and of which no record knows how they were at the time of the chosen one. */
export function unknownSince(records: readonly ReleaseRecord[], choice: RollbackChoice): readonly KubernetesObject[] {
  const known = new Set([...choice.states, ...touchedSince(records, choice)].map(state => objectKey(state.reference)))
  const later = records.filter(record => record.number > choice.number && (isLeft(record) || record.status === 'pending'))
  const lost = later.flatMap(record => record.content().inventory ?? []).filter(entry => entry.before)
  return [...new Map(lost.map(({ reference }) => [objectKey(reference), reference] as const))]
    .filter(([key]) => !known.has(key))
    .map(([, reference]) => reference)
}

/** @returns the steps, and the objects that are left as they are though they came after the chosen release */
export async function stepsFromRecord(
  api: KubernetesApi,
  records: readonly ReleaseRecord[],
  choice: RollbackChoice,
  scaled: (object: KubernetesObject) => boolean,
): Promise<{ readonly steps: readonly Step[]; readonly kept: readonly KubernetesObject[] }> {
  const wanted = [...choice.states, ...touchedSince(records, choice)]
  const kept = wanted
    .filter(({ reference, after }) => after === undefined && holdsWhatOthersPut(reference))
    .map(({ reference }) => reference)
  const steps = await Promise.all(
    wanted
      .filter(({ reference }) => !kept.includes(reference))
      .map(async ({ reference, after: body }): Promise<Step[]> => {
        const live = await readLive(api, reference)
        // What runs once has run: nothing of it is put back, but what came since goes.
        if (body !== undefined && runsOnce(reference) && (live === undefined || reference.kind === 'Job')) return []
        const keepReplicas = body !== undefined && (scaled(body) || !statesReplicas(body))
        return [
          {
            action: body === undefined ? 'delete' : 'put',
            body: body ?? reference,
            live,
            before: live,
            desired: body,
            fieldManager: FIELD_MANAGER,
            keepReplicas,
            position: NOWHERE,
          },
        ]
      }),
  )
  return { steps: steps.flat(), kept }
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
