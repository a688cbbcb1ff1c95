// The steps of a release: one for each object, with what is live now, what is to be, and how to undo it. Trying (server-side dry run), taking and
// undoing a step are here; in which order, and when, is decided elsewhere, and refusals are told by refusal.ts.

import { type Clock, sleep, systemClock } from '../deploy/clock.ts'
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import { lastApplied, sameIntent } from './change.ts'
import { type Books, booksBefore, withoutDropped } from './field-ownership.ts'
import type { Hook } from './manifests.ts'
import { groupOf, type KubernetesObject, objectName } from './objects.ts'
import { explain, isImmutable, isOwnershipConflict } from './refusal.ts'

/** The field manager of all our writes. */
export const FIELD_MANAGER = 'deploy-actions'

/**
 * People's tools whose fields a manifest may take over: who deploys with a manifest means what it says. A controller's field (an autoscaler's, GitOps's)
 * is never taken: that conflict is told.
 */
const TAKEN_OVER =
  /^(kubectl(-.*)?|helm|deploy-actions(-.*)?|before-first-apply|Terraform|HashiCorp|node-fetch|unknown|Go-http-client|OpenAPI-Generator)$/

/** `apply`: by server-side apply of a manifest. `put`: the whole object as it once was. `delete`: it was not there in the release that is put back. */
export interface Step {
  readonly action: 'apply' | 'put' | 'delete'
  /** What is sent. For `delete` the object as it is live. */
  readonly body: KubernetesObject
  /** As it is now, before this release does anything; undefined where it is not there. */
  readonly live: KubernetesObject | undefined
  /** What undoing the step goes back to: `live`, unless a run that died in the middle had changed it before. */
  readonly before: KubernetesObject | undefined
  /** As it will be, where that could be found out. */
  readonly desired: KubernetesObject | undefined
  readonly fieldManager: string
  /** The number of replicas is somebody else's: an autoscaler's, or a person's. It stays as it is live, whatever is applied or put back. */
  readonly keepReplicas: boolean
  readonly position: (path: readonly (string | number)[]) => FilePosition | undefined
  /** A hook of a Helm chart. What of it runs once is run anew with each release that changes something. */
  readonly hook?: Hook | undefined
}

export async function readLive(api: KubernetesApi, object: KubernetesObject): Promise<KubernetesObject | undefined> {
  const path = await pathOf(api, object)
  try {
    return await api.request<KubernetesObject>('GET', path)
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 404) return undefined
    throw asExpectedFailure(error, `Reading ${objectName(object)}`)
  }
}

/** @returns the object as it would be live. @throws ExpectedFailure with the position in the user's file where the server names a field */
export async function tryStep(api: KubernetesApi, step: Step): Promise<KubernetesObject | undefined> {
  return write(api, step, true, systemClock)
}

/** @returns the object as it is live from now on; undefined when it was deleted */
export async function takeStep(
  api: KubernetesApi,
  step: Step,
  clock: Clock = systemClock,
): Promise<KubernetesObject | undefined> {
  return write(api, step, false, clock)
}

async function write(api: KubernetesApi, step: Step, dryRun: boolean, clock: Clock): Promise<KubernetesObject | undefined> {
  const query = dryRun ? { dryRun: 'All' } : {}
  try {
    if (step.action === 'delete') {
      await remove(api, step.body, query)
      return undefined
    }
    if (step.action === 'put') return await put(api, step.body, undefined, step.keepReplicas, query)
    return dryRun ? await tryApply(api, step) : await apply(api, step, clock)
  } catch (error) {
    throw explain(error, step, WORDS[step.action])
  }
}

const WORDS = { apply: 'Applying', put: 'Putting back', delete: 'Removing' } as const

async function apply(api: KubernetesApi, step: Step, clock: Clock): Promise<KubernetesObject> {
  if (step.live !== undefined && isHookRun(step)) return makeAnew(api, step, step.live, clock)
  try {
    if (step.live !== undefined) await putBooksRight(api, step)
    return await sendApply(api, step, bodyOf(step), {})
  } catch (error) {
    if (step.live === undefined || !isJobToReplace(step, error)) throw error
    return makeAnew(api, step, step.live, clock)
  }
}

/** What `apply` would make of the object, with what the change of the books makes vanish. */
async function tryApply(api: KubernetesApi, step: Step): Promise<KubernetesObject> {
  const { live } = step
  const body = bodyOf(step)
  const books = live === undefined ? undefined : booksOf(step, live)
  try {
    const trial = books?.choice === undefined ? body : withoutField(body, books.choice.slice(0, -1))
    const answer = await sendApply(api, step, trial, DRY_RUN)
    return books === undefined ? answer : await tryDropping(api, step, answer, books)
  } catch (error) {
    if (live === undefined || !isJobToReplace(step, error)) throw error
    return tryAnew(api, step, live)
  }
}

const DRY_RUN = { dryRun: 'All' }

function bodyOf(step: Step): KubernetesObject {
  return step.keepReplicas ? withReplicasOf(step.live, step.body) : step.body
}

async function sendApply(
  api: KubernetesApi,
  step: Step,
  body: KubernetesObject,
  query: Record<string, string>,
): Promise<KubernetesObject> {
  const path = await pathOf(api, body)
  const send = (sent: KubernetesObject, force: boolean): Promise<KubernetesObject> =>
    api.request('PATCH', path, {
      query: { ...query, fieldManager: step.fieldManager, fieldValidation: 'Strict', force: String(force) },
      body: sent,
      contentType: 'application/apply-patch+yaml',
    })
  for (let [sent, attempt] = [body, 1]; ; attempt++) {
    try {
      return await send(sent, false)
    } catch (error) {
      if (!(error instanceof ApiFailure) || !isOwnershipConflict(error)) throw error
      const scaled = step.keepReplicas && error.causes.some(({ field }) => field === REPLICAS)
      if (scaled && attempt < PUT_TRIES) {
        sent = withReplicasOf(await readLive(api, body), sent)
        continue
      }
      const owners = error.causes.map(cause => /^conflict with "([^"]*)"/.exec(cause.message ?? '')?.[1] ?? '')
      if (owners.every(owner => TAKEN_OVER.test(owner))) return send(sent, true)
      throw error
    }
  }
}

/** As a conflict names it. Whose number it is may have changed it since the steps were planned: the new one is as good, and is sent. */
const REPLICAS = '.spec.replicas'

function booksOf(step: Step, live: KubernetesObject): Books | undefined {
  return step.fieldManager === FIELD_MANAGER ? booksBefore(live, bodyOf(step), FIELD_MANAGER) : undefined
}

/** A controller that writes in between is no trouble: its entry is read, and kept. */
async function putBooksRight(api: KubernetesApi, step: Step): Promise<void> {
  if (step.live === undefined || booksOf(step, step.live) === undefined) return
  for (let attempt = 1; ; attempt++) {
    const live = await readLive(api, step.body)
    const books = live === undefined ? undefined : booksOf(step, live)
    if (live === undefined || books === undefined) return
    try {
      const { resourceVersion } = live.metadata
      await api.request('PATCH', await pathOf(api, step.body), {
        query: { fieldManager: FIELD_MANAGER },
        body: { metadata: { managedFields: books.managedFields, resourceVersion } },
        contentType: 'application/merge-patch+json',
      })
      return
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 409 || attempt === PUT_TRIES) throw error
    }
  }
}

/** The server fills in what is missing once more, and sees that what is left is valid. */
async function tryDropping(api: KubernetesApi, step: Step, answer: KubernetesObject, books: Books): Promise<KubernetesObject> {
  const body = bodyOf(step)
  const dropped = withoutDropped(answer, body, books, FIELD_MANAGER)
  const chosen = books.choice === undefined ? dropped : withFieldOf(dropped, body, books.choice.slice(0, -1))
  const { managedFields: _, ...metadata } = chosen.metadata
  try {
    return await api.request('PUT', await pathOf(api, body), {
      query: { ...DRY_RUN, fieldManager: FIELD_MANAGER, fieldValidation: 'Strict' },
      body: { ...chosen, metadata },
    })
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 409) return chosen
    throw error
  }
}

/** A hook that runs something: it is run anew. */
function isHookRun(step: Step): boolean {
  return step.hook !== undefined && runsOnce(step.body)
}

/** A Job whose template has changed: the server takes no other template in, so that it is deleted and made anew. */
function isJobToReplace(step: Step, error: unknown): boolean {
  const { apiVersion, kind } = step.body
  if (!(error instanceof ApiFailure) || !isImmutable(error)) return false
  return (groupOf(apiVersion) === 'batch' && kind === 'Job') || isHookRun(step)
}

/** True of a Job that is deleted and made anew by the step. */
export function isMadeAnew({ action, body, live, desired, hook }: Step): boolean {
  if (action !== 'apply' || live?.metadata.uid === undefined || !runsOnce(body)) return false
  return hook !== undefined || (desired !== undefined && desired.metadata.uid !== live.metadata.uid)
}

async function makeAnew(api: KubernetesApi, step: Step, live: KubernetesObject, clock: Clock): Promise<KubernetesObject> {
  // In the foreground: two runs at once, of a migration say, would be worse than waiting for the old one's pods to go.
  await remove(api, step.body, {}, 'Foreground')
  const deadline = clock.now() + GONE_WITHIN_MS
  for (;;) {
    const left = await readLive(api, step.body)
    if (left === undefined || left.metadata.uid !== live.metadata.uid) break
    if (clock.now() >= deadline) throw new BeingDeleted(left)
    await sleep(clock, LOOK_AGAIN_MS)
  }
  return sendApply(api, step, step.body, {})
}

/** A pod has 30 s to end where it says nothing else; more than that and it hangs. */
const GONE_WITHIN_MS = 120_000
const LOOK_AGAIN_MS = 100

/** Tried under another name, for its own is taken. What the server makes of the Job's identity is taken for what it is live. */
async function tryAnew(api: KubernetesApi, step: Step, live: KubernetesObject): Promise<KubernetesObject> {
  const { name } = step.body.metadata
  const other = { ...step.body, metadata: { ...step.body.metadata, name: `${name.slice(0, 50)}-${TRIAL}` } }
  const { metadata, ...answer } = await sendApply(api, step, other, DRY_RUN)
  const { uid: _, resourceVersion: __, ...rest } = metadata
  const object = { ...answer, metadata: { ...rest, name } } as KubernetesObject
  return runsOnce(object) && object.kind === 'Job' ? withIdentityOf(live, object) : object
}

const TRIAL = 'dry-run-5f2c'
const IDENTITY = /^(batch\.kubernetes\.io\/)?(controller-uid|job-name)$/

function withIdentityOf(live: KubernetesObject, job: KubernetesObject): KubernetesObject {
  type Spec = { selector?: unknown; template?: { metadata?: { labels?: Record<string, string> } } }
  const [spec, old] = [(job['spec'] ?? {}) as Spec, (live['spec'] ?? {}) as Spec]
  const labels = (of: Spec, identity: boolean): [string, string][] =>
    Object.entries(of.template?.metadata?.labels ?? {}).filter(([label]) => IDENTITY.test(label) === identity)
  const metadata = { ...spec.template?.metadata, labels: Object.fromEntries([...labels(spec, false), ...labels(old, true)]) }
  const own = Object.entries(job.metadata.labels ?? {}).filter(([label]) => !IDENTITY.test(label))
  const kept = Object.entries(live.metadata.labels ?? {}).filter(([label]) => IDENTITY.test(label))
  return {
    ...job,
    metadata: { ...job.metadata, labels: Object.fromEntries([...own, ...kept]) },
    spec: { ...spec, selector: old.selector, template: { ...spec.template, metadata } },
  }
}

function withoutField(object: KubernetesObject, [first, ...rest]: readonly string[]): KubernetesObject {
  if (first === undefined) return object
  const below = object[first]
  if (typeof below !== 'object' || below === null) return object
  const { [first]: _, ...others } = object
  return (rest.length === 0 ? others : { ...object, [first]: withoutField(below as KubernetesObject, rest) }) as KubernetesObject
}

function withFieldOf(object: KubernetesObject, from: KubernetesObject, [first, ...rest]: readonly string[]): KubernetesObject {
  if (first === undefined) return object
  const value = from[first]
  if (rest.length === 0) return { ...object, [first]: value }
  return { ...object, [first]: withFieldOf((object[first] ?? {}) as KubernetesObject, value as KubernetesObject, rest) }
}

/**
 * Makes the live object what `object` says, whole, and gives its fields back to those who owned them then. Controllers write to the object all the
 * while, and an answer may have been lost on the way: a conflict is no refusal, it is looked at again.
 * @param undone what the release that is undone had made of it
 * @returns undefined where the object is gone and must not come back
 */
async function put(
  api: KubernetesApi,
  object: KubernetesObject,
  undone: KubernetesObject | undefined,
  keepReplicas: boolean,
  query: Record<string, string>,
): Promise<KubernetesObject | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const live = await readLive(api, object)
      if (runsOnce(object) && (live === undefined || madeAnew(live, object))) return live
      if (live?.metadata.deletionTimestamp != null) throw new BeingDeleted(live)
      const target = asPutBack(object, live, undone, keepReplicas)
      const there = live !== undefined && sameIntent(live, target) && lastApplied(live) === lastApplied(target)
      if (live !== undefined && there && attempt === 1) return live
      const frozen = live !== undefined && !there && isFrozen(live, target)
      if (frozen && query['dryRun'] !== undefined) return target
      if (frozen) await remove(api, live, query)
      const written = live !== undefined && there ? live : await replaceOrCreate(api, target, frozen ? undefined : live, query)
      return query['dryRun'] === undefined ? await giveFieldsBack(api, object, written) : written
    } catch (error) {
      const changed = error instanceof ApiFailure && (error.status === 409 || error.status === 404)
      if (!changed || attempt === PUT_TRIES) throw error
    }
  }
}

/** A ConfigMap or a Secret that was made immutable takes nothing back, not even that: it has to make room for the one that it was. */
function isFrozen(live: KubernetesObject, target: KubernetesObject): boolean {
  return groupOf(live.apiVersion) === '' && live['immutable'] === true && target['immutable'] !== true
}

/** More writes than that between our reading and our writing are no accident any more. */
const PUT_TRIES = 10

async function replaceOrCreate(
  api: KubernetesApi,
  target: KubernetesObject,
  live: KubernetesObject | undefined,
  query: Record<string, string>,
): Promise<KubernetesObject> {
  return api.request(live === undefined ? 'POST' : 'PUT', await pathOf(api, target, live === undefined), {
    query: { ...query, fieldManager: FIELD_MANAGER },
    body: live === undefined ? forCreate(target) : forReplace(target, live),
  })
}

/** Without this the written fields would belong to an update of ours as well, and a later apply that drops one of them could not remove it. */
async function giveFieldsBack(
  api: KubernetesApi,
  object: KubernetesObject,
  written: KubernetesObject,
): Promise<KubernetesObject> {
  const { managedFields } = object.metadata
  if (managedFields === undefined) return written
  return api.request('PATCH', await pathOf(api, object), {
    query: { fieldManager: FIELD_MANAGER },
    body: { metadata: { managedFields } },
    contentType: 'application/merge-patch+json',
  })
}

/** What has run and is gone: bringing it back would run it again. A Job that migrates a database must not do that because of a rollback. */
export function runsOnce(object: KubernetesObject): boolean {
  const group = groupOf(object.apiVersion)
  return (group === 'batch' && object.kind === 'Job') || (group === '' && object.kind === 'Pod')
}

/** An object that is on its way out takes every change and vanishes all the same. */
export class BeingDeleted extends ExpectedFailure {
  constructor(live: KubernetesObject) {
    const { finalizers = [] } = live.metadata
    const held = finalizers.length === 0 ? '' : `, held by its finalizers ${foreignLine(finalizers.join(', '), 200)}`
    super(
      'Conflict',
      `${objectName(live)} is being deleted (since ${live.metadata.deletionTimestamp ?? '?'}${held}): wait until it is gone, or free it, and run this again.`,
    )
  }
}

/**
 * Whether what could not be done may well be done a moment later: the server, or what it asks in its turn (a webhook, its store), is not up, or an
 * object of that name is still on its way out.
 */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof ExpectedFailure)) return false
  if (error.reason === 'Unreachable' || error instanceof BeingDeleted) return true
  return error.cause instanceof ApiFailure && (error.cause.transient || error.cause.status >= 500)
}

function withReplicasOf(live: KubernetesObject | undefined, object: KubernetesObject): KubernetesObject {
  const replicas = (live as { spec?: { replicas?: number } } | undefined)?.spec?.replicas
  const spec = object['spec'] as { replicas?: number } | undefined
  return replicas === undefined || spec?.replicas === undefined ? object : { ...object, spec: { ...spec, replicas } }
}

/** What putting `object` back makes of `live`, which the release that is undone had made into `undone`. */
export function asPutBack(
  object: KubernetesObject,
  live: KubernetesObject | undefined,
  undone: KubernetesObject | undefined,
  keepReplicas: boolean,
): KubernetesObject {
  const changed = withChangesOfOthers(live, undone, keepReplicas ? withReplicasOf(live, object) : object)
  return withFinalizersOf(live, undone, withVolumeOf(live, withNodeOf(live, changed)))
}

/**
 * Controllers set their finalizers once the object is there, which may be after it was recorded, and do not look whether they are still there: a load
 * balancer whose Service lost its own would stay behind in the cloud. Those that the release itself has brought go with it.
 */
function withFinalizersOf(
  live: KubernetesObject | undefined,
  undone: KubernetesObject | undefined,
  object: KubernetesObject,
): KubernetesObject {
  const own = object.metadata.finalizers ?? []
  const brought = (undone?.metadata.finalizers ?? []).filter(name => !own.includes(name))
  const kept = (live?.metadata.finalizers ?? []).filter(name => !own.includes(name) && !brought.includes(name))
  return kept.length === 0 ? object : { ...object, metadata: { ...object.metadata, finalizers: [...own, ...kept] } }
}

/** A claim stays with the volume that it got, and with the size that its volume has grown to: neither is ever taken back. */
function withVolumeOf(live: KubernetesObject | undefined, object: KubernetesObject): KubernetesObject {
  if (live === undefined || object.kind !== 'PersistentVolumeClaim' || groupOf(object.apiVersion) !== '') return object
  type Claim = { volumeName?: unknown; resources?: { requests?: { storage?: string } } }
  const [spec, there] = [(object['spec'] ?? {}) as Claim, (live['spec'] ?? {}) as Claim]
  const capacity = (live['status'] as { capacity?: { storage?: string } } | undefined)?.capacity?.storage
  // A volume that could not be grown still has its old size, and the claim may go back to that.
  const hasGrown = spec.resources?.requests?.storage !== capacity
  return {
    ...object,
    spec: {
      ...spec,
      ...(there.volumeName === undefined ? {} : { volumeName: there.volumeName }),
      ...(hasGrown && there.resources !== undefined ? { resources: there.resources } : {}),
    },
  }
}

/** What somebody else has changed since the release, which had left it alone, stays: a note of `kubectl annotate`, a number of `kubectl scale`. */
function withChangesOfOthers(
  live: KubernetesObject | undefined,
  undone: KubernetesObject | undefined,
  object: KubernetesObject,
): KubernetesObject {
  if (live === undefined || undone === undefined) return object
  const kept = (field: 'labels' | 'annotations'): Pick<KubernetesObject['metadata'], 'labels' | 'annotations'> => {
    const [old, released] = [object.metadata[field] ?? {}, undone.metadata[field] ?? {}]
    const others = Object.entries(live.metadata[field] ?? {}).filter(
      ([key, value]) => value !== released[key] && released[key] === old[key],
    )
    return others.length === 0 ? {} : { [field]: { ...old, ...Object.fromEntries(others) } }
  }
  const replicas = (of: KubernetesObject): unknown => (of['spec'] as { replicas?: number } | undefined)?.replicas
  const scaled = replicas(live) !== replicas(undone) && replicas(undone) === replicas(object)
  return {
    ...(scaled ? withReplicasOf(live, object) : object),
    metadata: { ...object.metadata, ...kept('labels'), ...kept('annotations') },
  }
}

/** By somebody else: it is not the one that was there. */
function madeAnew(live: KubernetesObject, object: KubernetesObject): boolean {
  return object.metadata.uid !== undefined && live.metadata.uid !== object.metadata.uid
}

/** A pod is recorded as it was made, which is before it had a node; it keeps the one it has. */
function withNodeOf(live: KubernetesObject | undefined, object: KubernetesObject): KubernetesObject {
  const nodeName = (live as { spec?: { nodeName?: string } } | undefined)?.spec?.nodeName
  if (nodeName === undefined || object.kind !== 'Pod' || groupOf(object.apiVersion) !== '') return object
  return { ...object, spec: { ...(object['spec'] as object | undefined), nodeName } }
}

async function remove(
  api: KubernetesApi,
  object: KubernetesObject,
  query: Record<string, string>,
  propagationPolicy: 'Background' | 'Foreground' = 'Background',
): Promise<void> {
  try {
    // Where a deletion has a body, the server reads its options there alone: a `dryRun` in the query would be a deletion
    // (staging/src/k8s.io/apiserver/pkg/endpoints/handlers/delete.go).
    const options = query['dryRun'] === undefined ? {} : { dryRun: [query['dryRun']] }
    await api.request('DELETE', await pathOf(api, object), {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, ...options },
    })
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status !== 404) throw error
  }
}

/** Undoes a step: what was there is put back as it was, what was not is removed. @returns the object as it is live from now on */
export async function undoStep(api: KubernetesApi, step: Step): Promise<KubernetesObject | undefined> {
  try {
    if (step.before !== undefined && !(await isOurRun(api, step.before)))
      return await put(api, step.before, step.desired, step.keepReplicas, {})
    await remove(api, step.body, {})
    return undefined
  } catch (error) {
    throw explain(error, step, step.before === undefined ? 'Removing' : 'Putting back')
  }
}

/** A run that a release of ours has made in the place of the one before: it ends with its release, and the one before is not run again. */
async function isOurRun(api: KubernetesApi, before: KubernetesObject): Promise<boolean> {
  if (!runsOnce(before)) return false
  const live = await readLive(api, before)
  if (live === undefined || !madeAnew(live, before)) return false
  return (live.metadata.managedFields ?? []).some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply')
}

async function pathOf(api: KubernetesApi, object: KubernetesObject, collection = false): Promise<string> {
  const resource = await api.resource(object.apiVersion, object.kind)
  return resource.path(object.metadata.namespace, collection ? undefined : object.metadata.name)
}

function forCreate(object: KubernetesObject): KubernetesObject {
  const {
    managedFields: _,
    resourceVersion: __,
    uid: ___,
    generation: ____,
    creationTimestamp: _____,
    deletionTimestamp: ______,
    deletionGracePeriodSeconds: _______,
    ...metadata
  } = object.metadata
  const { status: ________, ...rest } = object
  return { ...rest, metadata }
}

/** The old object on top of the live one's identity; the controller's own revision count goes on. */
function forReplace(object: KubernetesObject, live: KubernetesObject): KubernetesObject {
  const annotations = { ...object.metadata.annotations }
  const revision = live.metadata.annotations?.['deployment.kubernetes.io/revision']
  if (revision !== undefined) annotations['deployment.kubernetes.io/revision'] = revision
  const created = forCreate(object)
  return {
    ...created,
    metadata: {
      ...created.metadata,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(live.metadata.uid === undefined ? {} : { uid: live.metadata.uid }),
      ...(live.metadata.resourceVersion === undefined ? {} : { resourceVersion: live.metadata.resourceVersion }),
    },
    ...(live['status'] === undefined ? {} : { status: live['status'] }),
  }
}

/** The object as it is written into a release's record: without its status, and with its fields' owners, so that these can be given back too. */
export function recorded(object: KubernetesObject): KubernetesObject {
  const { status: _, ...rest } = object
  return rest as KubernetesObject
}

/** True where the step takes away what `kubectl apply` has noted in the object, though it may change nothing else. */
export function dropsLastApplied({ action, live, desired }: Step): boolean {
  return action === 'apply' && desired !== undefined && lastApplied(live) !== undefined && lastApplied(desired) === undefined
}

/** True where the step would change nothing. */
export function isNoChange(step: Step): boolean {
  if (step.action === 'delete') return step.live === undefined
  return step.live !== undefined && step.desired !== undefined && sameIntent(step.live, step.desired)
}
