// The steps of a release: one for each object, with what is live now, what is to be, and how to undo it. Trying (server-side dry run), taking and
// undoing a step are here; in which order, and when, is decided elsewhere.
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import { sameIntent } from './change.ts'
import { parseFieldPath } from './field-path.ts'
import { groupOf, type KubernetesObject, objectName } from './objects.ts'

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
  return write(api, step, true)
}

/** @returns the object as it is live from now on; undefined when it was deleted */
export async function takeStep(api: KubernetesApi, step: Step): Promise<KubernetesObject | undefined> {
  return write(api, step, false)
}

async function write(api: KubernetesApi, step: Step, dryRun: boolean): Promise<KubernetesObject | undefined> {
  const query = dryRun ? { dryRun: 'All' } : {}
  try {
    if (step.action === 'delete') {
      await remove(api, step.body, query)
      return undefined
    }
    if (step.action === 'put') return await put(api, step.body, undefined, step.keepReplicas, query)
    return await apply(api, step, query)
  } catch (error) {
    throw explain(error, step, WORDS[step.action])
  }
}

const WORDS = { apply: 'Applying', put: 'Putting back', delete: 'Removing' } as const

async function apply(api: KubernetesApi, step: Step, query: Record<string, string>): Promise<KubernetesObject> {
  const path = await pathOf(api, step.body)
  const send = (force: boolean): Promise<KubernetesObject> =>
    api.request('PATCH', path, {
      query: { ...query, fieldManager: step.fieldManager, fieldValidation: 'Strict', force: String(force) },
      body: step.keepReplicas ? withReplicasOf(step.live, step.body) : step.body,
      contentType: 'application/apply-patch+yaml',
    })
  try {
    return await send(false)
  } catch (error) {
    if (!(error instanceof ApiFailure) || !isOwnershipConflict(error)) throw error
    const owners = error.causes.map(cause => /^conflict with "([^"]*)"/.exec(cause.message ?? '')?.[1] ?? '')
    if (owners.every(owner => TAKEN_OVER.test(owner))) return send(true)
    throw error
  }
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
      if (live?.metadata.deletionTimestamp != null) throw beingDeleted(live)
      const target = withNodeOf(live, withChangesOfOthers(live, undone, keepReplicas ? withReplicasOf(live, object) : object))
      const there = live !== undefined && sameIntent(live, target)
      if (live !== undefined && there && attempt === 1) return live
      const written = live !== undefined && there ? live : await replaceOrCreate(api, target, live, query)
      return query['dryRun'] === undefined ? await giveFieldsBack(api, object, written) : written
    } catch (error) {
      const changed = error instanceof ApiFailure && (error.status === 409 || error.status === 404)
      if (!changed || attempt === PUT_TRIES) throw error
    }
  }
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
export function beingDeleted(live: KubernetesObject): ExpectedFailure {
  const { finalizers = [] } = live.metadata
  const held = finalizers.length === 0 ? '' : `, held by its finalizers ${foreignLine(finalizers.join(', '), 200)}`
  return new ExpectedFailure(
    'Conflict',
    `${objectName(live)} is being deleted (since ${live.metadata.deletionTimestamp ?? '?'}${held}): wait until it is gone, or free it, and run this again.`,
  )
}

function withReplicasOf(live: KubernetesObject | undefined, object: KubernetesObject): KubernetesObject {
  const replicas = (live as { spec?: { replicas?: number } } | undefined)?.spec?.replicas
  const spec = object['spec'] as { replicas?: number } | undefined
  return replicas === undefined || spec?.replicas === undefined ? object : { ...object, spec: { ...spec, replicas } }
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

async function remove(api: KubernetesApi, object: KubernetesObject, query: Record<string, string>): Promise<void> {
  try {
    await api.request('DELETE', await pathOf(api, object), {
      query,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
    })
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status !== 404) throw error
  }
}

/** Undoes a step: what was there is put back as it was, what was not is removed. @returns the object as it is live from now on */
export async function undoStep(api: KubernetesApi, step: Step): Promise<KubernetesObject | undefined> {
  try {
    if (step.before !== undefined) return await put(api, step.before, step.desired, step.keepReplicas, {})
    await remove(api, step.body, {})
    return undefined
  } catch (error) {
    throw explain(error, step, step.before === undefined ? 'Removing' : 'Putting back')
  }
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

function isOwnershipConflict(error: ApiFailure): boolean {
  return error.status === 409 && error.causes.some(cause => cause.reason === 'FieldManagerConflict')
}

/** The server's refusal as one sentence, at the line of the user's file that it is about. A Secret's values, which it may quote, are left out. */
function explain(error: unknown, step: Step, verb: string): unknown {
  if (!(error instanceof ApiFailure)) return error
  const name = objectName(step.body)
  const told = (text: string): string => foreignLine(withoutSecrets(text, step))
  if (isOwnershipConflict(error)) {
    const conflicts = error.causes.map(
      cause => `${cause.field ?? '?'} belongs to ${/^conflict with ("[^"]*")/.exec(cause.message ?? '')?.[1] ?? 'somebody else'}`,
    )
    const at = positionOf(step, error.causes[0]?.field)
    return new ExpectedFailure(
      'Conflict',
      `${name} cannot be applied: ${told(conflicts.join('; '))}. Leave the field out of the manifest, or take it from its owner.`,
      at === undefined ? {} : { at },
    )
  }
  if (error.status === 422 || error.status === 400 || (error.status === 500 && MALFORMED.test(error.message))) {
    const causes = error.causes.length > 0 ? error.causes : schemaFaults(error.message)
    const [first, ...others] = causes.map(cause => ({
      field: cause.field,
      message: `${cause.field === undefined || cause.field === '' ? '' : `${cause.field}: `}${told(cause.message ?? '')}`,
    }))
    const at = positionOf(step, first?.field)
    const also = others.map(other => {
      const where = positionOf(step, other.field)
      return { message: `${name}: ${other.message}`, ...(where === undefined ? {} : { at: where }) }
    })
    return new ExpectedFailure('InvalidInput', `${name} is not valid: ${first?.message ?? told(error.message)}`, {
      also,
      ...(at === undefined ? {} : { at }),
    })
  }
  if (step.body.kind !== 'Secret') {
    const failure = asExpectedFailure(error, `${verb} ${name}`)
    const at = /^namespaces "/.test(error.message) ? step.position(['metadata', 'namespace']) : undefined
    return at === undefined || !(failure instanceof ExpectedFailure)
      ? failure
      : new ExpectedFailure(failure.reason, failure.message, { at })
  }
  const { status, reason, message, causes } = error
  const clean = causes.map(cause => ({ ...cause, message: withoutSecrets(cause.message ?? '', step) }))
  return asExpectedFailure(new ApiFailure(status, reason, withoutSecrets(message, step), { causes: clean }), `${verb} ${name}`)
}

/** What the server says of a manifest that does not fit its kind comes as an internal error. */
const MALFORMED = /typed patch object|field not declared|unknown field|unable to convert unstructured object|error decoding/

/** What YAML reads as a number or as true: `expected string, got &value.valueUnstructured{Value:1}`. */
const NO_TEXT = /(?<=^expected string, got )&value\.valueUnstructured\{Value:([\s\S]*)\}$/

const SHORTEST_SECRET = 3

/** A refusal may quote what it refuses: `expected string, got &value.valueUnstructured{Value:4242}`, `Invalid value: "..."`. */
function withoutSecrets(text: string, step: Step): string {
  if (step.body.kind !== 'Secret') return text
  const values = [step.body, step.before, step.live].flatMap(object =>
    [object?.['data'], object?.['stringData']].flatMap(data => Object.values((data ?? {}) as Record<string, unknown>)),
  )
  const spellings = values
    .flatMap(value => [String(value), Buffer.from(String(value), 'base64').toString(), JSON.stringify(value)])
    .filter(spelling => spelling.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length)
  const quoted = text
    .replace(/, got [\s\S]*$/, '')
    .replace(/(Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*"|\{[^}]*\}|[^\s:]+)/g, '$1 value')
  return spellings.reduce((clean, spelling) => clean.replaceAll(spelling, '***'), quoted)
}

function positionOf(step: Step, field: string | undefined): FilePosition | undefined {
  return step.position(field === undefined ? [] : parseFieldPath(field))
}

/**
 * The faults in a refusal by the schema, one a line: `.spec.template.spec.containers[name="app"].imagee: field not declared in schema`,
 * `unknown field "spec.x"`.
 */
function schemaFaults(message: string): { field: string | undefined; message: string }[] {
  const text = message.replace(/^failed to create typed patch object \([^)]*\): /, '').replace(/^.*strict decoding error: /, '')
  const lines = text.split('\n').map(line => line.trim())
  return lines
    .filter(line => line !== '' && line !== 'errors:')
    .map(line => {
      const declared = /^(\.[^:]+): (.*)$/.exec(line)
      if (declared !== null)
        return { field: declared[1], message: (declared[2] ?? line).replace(NO_TEXT, '$1: put it in quotes') }
      return { field: /unknown field "([^"]+)"/.exec(line)?.[1], message: line }
    })
}

/** The object as it is written into a release's record: without its status, and with its fields' owners, so that these can be given back too. */
export function recorded(object: KubernetesObject): KubernetesObject {
  const { status: _, ...rest } = object
  return rest as KubernetesObject
}

/** True where the step would change nothing. */
export function isNoChange(step: Step): boolean {
  if (step.action === 'delete') return step.live === undefined
  return step.live !== undefined && step.desired !== undefined && sameIntent(step.live, step.desired)
}
