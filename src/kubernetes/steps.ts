// The steps of a release: one for each object, with what is live now, what is to be, and how to undo it. Trying (server-side dry run), taking and
// undoing a step are here; in which order, and when, is decided elsewhere.
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure, type KubernetesApi } from './api.ts'
import { sameIntent } from './change.ts'
import { parseFieldPath } from './field-path.ts'
import { type KubernetesObject, objectName } from './objects.ts'

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
    throw asExpectedFailure(error, `read ${objectName(object)}`)
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
    if (step.action === 'put') return await put(api, step.body, step.keepReplicas, query)
    return await apply(api, step, query)
  } catch (error) {
    throw explain(error, step)
  }
}

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

/** Makes the live object what `object` says, whole, and gives its fields back to those who owned them then. */
async function put(
  api: KubernetesApi,
  object: KubernetesObject,
  keepReplicas: boolean,
  query: Record<string, string>,
): Promise<KubernetesObject> {
  const live = await readLive(api, object)
  if (live === undefined)
    return api.request('POST', await pathOf(api, object, true), {
      query: { ...query, fieldManager: FIELD_MANAGER },
      body: forCreate(object),
    })
  const target = keepReplicas ? withReplicasOf(live, object) : object
  if (sameIntent(live, target)) return live
  const path = await pathOf(api, object)
  const replaced = await api.request<KubernetesObject>('PUT', path, {
    query: { ...query, fieldManager: FIELD_MANAGER },
    body: forReplace(target, live),
  })
  const owners = object.metadata.managedFields
  if (owners === undefined || query['dryRun'] !== undefined) return replaced
  // Without this the replaced fields would belong to an update of ours as well, and a later apply that drops one of them could not remove it.
  const body = { metadata: { managedFields: owners } }
  return api.request('PATCH', path, { query: { fieldManager: FIELD_MANAGER }, body, contentType: 'application/merge-patch+json' })
}

function withReplicasOf(live: KubernetesObject | undefined, object: KubernetesObject): KubernetesObject {
  const replicas = (live as { spec?: { replicas?: number } } | undefined)?.spec?.replicas
  const spec = object['spec'] as { replicas?: number } | undefined
  return replicas === undefined || spec?.replicas === undefined ? object : { ...object, spec: { ...spec, replicas } }
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
    if (step.before !== undefined) return await put(api, step.before, step.keepReplicas, {})
    await remove(api, step.body, {})
    return undefined
  } catch (error) {
    throw explain(error, step)
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
    ...metadata
  } = object.metadata
  const { status: ______, ...rest } = object
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

/** The server's refusal as one sentence, at the line of the user's file that it is about. */
function explain(error: unknown, step: Step): unknown {
  if (!(error instanceof ApiFailure)) return error
  const name = objectName(step.body)
  if (isOwnershipConflict(error)) {
    const conflicts = error.causes.map(
      cause => `${cause.field ?? '?'} belongs to ${/^conflict with ("[^"]*")/.exec(cause.message ?? '')?.[1] ?? 'somebody else'}`,
    )
    const at = positionOf(step, error.causes[0]?.field)
    return new ExpectedFailure(
      'Conflict',
      `${name} cannot be applied: ${conflicts.join('; ')}. Leave the field out of the manifest, or take it from its owner.`,
      at === undefined ? {} : { at },
    )
  }
  if (
    error.status === 422 ||
    error.status === 400 ||
    (error.status === 500 && /typed patch object|field not declared|unknown field/.test(error.message))
  ) {
    const causes = error.causes.length > 0 ? error.causes : schemaFaults(error.message)
    const [first, ...others] = causes.map(cause => ({
      field: cause.field,
      message: `${cause.field === undefined || cause.field === '' ? '' : `${cause.field}: `}${foreignLine(cause.message ?? '')}`,
    }))
    const at = positionOf(step, first?.field)
    const also = others.map(other => {
      const where = positionOf(step, other.field)
      return { message: `${name}: ${other.message}`, ...(where === undefined ? {} : { at: where }) }
    })
    return new ExpectedFailure('InvalidInput', `${name} is not valid: ${first?.message ?? foreignLine(error.message)}`, {
      also,
      ...(at === undefined ? {} : { at }),
    })
  }
  return asExpectedFailure(error, `apply ${name}`)
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
      if (declared !== null) return { field: declared[1], message: declared[2] ?? line }
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
