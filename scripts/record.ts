// Records the scenarios of the judge's tests from the sandbox's cluster: `npm run record`, or `npm run record -- good image-late` for some of them.
// Each runs in a namespace of its own, which is removed afterwards. Those that define kinds or nodes change the whole cluster: they are for one that
// nobody else uses (sandbox/README.md, Another cluster beside the first).
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import {
  difference,
  type Frame,
  formatRecording,
  type Json,
  type Kind,
  type Recording,
} from '../__tests__/kubernetes/judge/recording.ts'
import { BASE_IMAGE } from '../__tests__/kubernetes/judge/scenario-objects.ts'
import { type Happening, type Scenario, scenarios } from '../__tests__/kubernetes/judge/scenarios.ts'
import { sandboxEnvironment, sandboxVariables } from '../sandbox/index.ts'
import { startAgain, stop as stopProcess } from '../sandbox/processes.ts'
import { systemClock } from '../src/deploy/clock.ts'
import { connect } from '../src/kubernetes/connection.ts'
import type { KubernetesObject } from '../src/kubernetes/objects.ts'
import { watchList } from '../src/kubernetes/watch.ts'

/** Waiting costs nothing, so that several can wait at once; more of them would slow one another down on two cores. */
const AT_ONCE = 6
const LARGEST_BYTES = 150_000
const LONGEST_BEFORE_MS = 60_000

/** The minor version whose recordings stand in the folder itself; others have one of their own in it. */
const USUAL_MINOR = '1.34'

const run = randomBytes(3).toString('hex')
const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort())
process.once('SIGTERM', () => interrupted.abort())

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !scenarios.some(scenario => scenario.name === name))
if (unknown.length > 0) {
  console.error(`No such scenario: ${unknown.join(', ')}. There are: ${scenarios.map(scenario => scenario.name).join(', ')}`)
  process.exit(1)
}

const { REGISTRY } = sandboxEnvironment()
const connection = await connect({
  kubeconfig: '',
  context: '',
  env: Object.assign(process.env, sandboxVariables()),
  temporary: tmpdir(),
  log: { debug: () => undefined, info: line => console.log(line), mask: () => undefined },
})
const { api } = connection
const { gitVersion } = await api.request<{ gitVersion: string }>('GET', '/version')
const minor = /^v(\d+\.\d+)/.exec(gitVersion)?.[1] ?? gitVersion
const recorded = join(import.meta.dirname, '..', '__tests__', 'kubernetes', 'judge', 'recorded')
const folder = minor === USUAL_MINOR ? recorded : join(recorded, minor)

async function record(scenario: Scenario): Promise<Recording> {
  const namespace = `record-${scenario.name}-${run}`.slice(0, 63)
  const stop = new AbortController()
  const { signal } = stop
  const cut = (): void => stop.abort()
  interrupted.signal.addEventListener('abort', cut, { once: true })
  try {
    await send({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
    await until(10_000, async () => exists(`/api/v1/namespaces/${namespace}/serviceaccounts/default`), signal)
    for (const object of scenario.cluster ?? []) await define(object, signal)
    if (scenario.before !== undefined) {
      for (const object of scenario.before) {
        await send(object, namespace)
        if (isWorkload(object) && scenario.sickFor === undefined)
          await until(LONGEST_BEFORE_MS, () => isAvailable(object, namespace), signal)
      }
      await pause((scenario.sickFor ?? 0) * 1_000, undefined, { signal })
    }
    const recorder = new Recorder(api.now())
    const judged = scenario.release.at(-1) ?? {}
    const { apiVersion, kind: judgedKind } = judged as { apiVersion: string; kind: string }
    const known: readonly (readonly [group: string, plural: string, kind: Kind])[] = [
      ['/apis/apps/v1', 'deployments', 'Deployment'],
      ['/apis/apps/v1', 'replicasets', 'ReplicaSet'],
      ['/apis/apps/v1', 'statefulsets', 'StatefulSet'],
      ['/apis/apps/v1', 'daemonsets', 'DaemonSet'],
      ['/apis/apps/v1', 'controllerrevisions', 'ControllerRevision'],
      ['/apis/batch/v1', 'jobs', 'Job'],
      ['/api/v1', 'pods', 'Pod'],
      ['/api/v1', 'events', 'Event'],
      ...(judgedKind === 'Service' ? [['/apis/discovery.k8s.io/v1', 'endpointslices', 'EndpointSlice'] as const] : []),
    ]
    const paths = new Map(known.map(([group, plural, kind]) => [`${group}/namespaces/${namespace}/${plural}`, kind]))
    paths.set((await api.resource(apiVersion, judgedKind)).path(namespace), judgedKind)
    await Promise.all(
      [...paths].map(([path, kind]) =>
        watchList({
          api,
          path,
          onObjects: objects => recorder.all(kind, objects),
          onEvent: (type, object) => (type === 'DELETED' ? recorder.gone(kind, object) : recorder.put(kind, object)),
          signal,
          clock: systemClock,
        }),
      ),
    )
    let workload: KubernetesObject | undefined
    const createdAt = api.now()
    for (const object of scenario.release) workload = await send(object, namespace)
    const appliedAt = api.now()
    for (const happening of [...(scenario.happenings ?? [])].sort((a, b) => a.at - b.at)) {
      await pause(Math.max(0, appliedAt + happening.at * 1_000 - api.now()), undefined, { signal })
      await happen(happening, namespace, recorder, workload)
    }
    await pause(Math.max(0, appliedAt + scenario.seconds * 1_000 - api.now()), undefined, { signal })
    return {
      scenario: scenario.name,
      kubernetes: gitVersion,
      beganAt: recorder.beganAt,
      appliedAt: appliedAt - recorder.beganAt,
      ...(judgedKind === 'Deployment' ? {} : { kind: judgedKind }),
      ...(USUAL_APIS.has(`${apiVersion}/${judgedKind}`) ? {} : { apiVersion }),
      createdAt: createdAt - recorder.beganAt,
      generation: workload?.metadata.generation ?? 0,
      frames: recorder.frames,
    }
  } finally {
    stop.abort()
    interrupted.signal.removeEventListener('abort', cut)
    await api.request('DELETE', `/api/v1/namespaces/${namespace}`).catch(() => undefined)
  }
}

const USUAL_APIS = new Set(['apps/v1/Deployment', 'apps/v1/StatefulSet', 'apps/v1/DaemonSet', 'batch/v1/Job'])

class Recorder {
  readonly beganAt: number
  readonly frames: Frame[] = []
  readonly #states = new Map<string, { kind: Kind; object: Json }>()

  constructor(beganAt: number) {
    this.beganAt = beganAt
  }

  all(kind: Kind, objects: readonly KubernetesObject[]): void {
    const seen = new Set(objects.map(object => object.metadata.uid))
    for (const [uid, state] of this.#states) if (state.kind === kind && !seen.has(uid)) this.#delete(kind, uid)
    for (const object of objects) this.put(kind, object)
  }

  put(kind: Kind, full: KubernetesObject): void {
    const object = withoutNoise(full)
    const uid = full.metadata.uid ?? ''
    const at = api.now() - this.beganAt
    const before = this.#states.get(uid)
    this.#states.set(uid, { kind, object })
    if (before === undefined) {
      this.frames.push({ at, kind, uid, type: 'ADDED', object })
      return
    }
    const patch = difference(before.object, object)
    if (patch !== undefined) this.frames.push({ at, kind, uid, type: 'MODIFIED', patch })
  }

  gone(kind: Kind, last: KubernetesObject): void {
    // The last state may hold something that was never told by itself.
    if (kind !== 'Event') this.put(kind, last)
    this.#delete(kind, last.metadata.uid ?? '')
  }

  #delete(kind: Kind, uid: string): void {
    if (this.#states.delete(uid)) this.frames.push({ at: api.now() - this.beganAt, kind, uid, type: 'DELETED' })
  }

  /** Name of a pod of the ReplicaSet that was made last. */
  newestPod(): string {
    const all = [...this.#states.values()].map(({ kind, object }) => ({ kind, object: object as unknown as KubernetesObject }))
    const age = (object: KubernetesObject): number =>
      Number(object.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? 0)
    const set = all
      .filter(({ kind }) => kind === 'ReplicaSet')
      .map(({ object }) => object)
      .sort((a, b) => age(b) - age(a))[0]
    const pod = all.find(
      ({ kind, object }) =>
        kind === 'Pod' &&
        object.metadata.deletionTimestamp === undefined &&
        object.metadata.ownerReferences?.some(owner => owner.uid === set?.metadata.uid),
    )
    if (pod === undefined) throw new Error('there is no pod of the newest revision')
    return pod.object.metadata.name
  }
}

/** What says nothing to a judge, and most of the bytes: the books of server-side apply, and what admission adds to every pod. */
function withoutNoise(object: KubernetesObject): Json {
  const { managedFields: _, ...metadata } = object.metadata
  const { resourceVersion: __, ...kept } = metadata
  const copy = JSON.parse(JSON.stringify({ ...object, metadata: kept })) as Record<string, unknown>
  const annotations = kept.annotations
  if (annotations?.['kubectl.kubernetes.io/last-applied-configuration'] !== undefined)
    delete (copy['metadata'] as { annotations: Record<string, string> }).annotations[
      'kubectl.kubernetes.io/last-applied-configuration'
    ]
  if (object.kind !== 'Pod') return copy as Json
  const spec = copy['spec'] as Record<string, unknown> &
    Record<'containers' | 'initContainers', Record<string, unknown>[] | undefined>
  delete spec['tolerations']
  const isToken = (volume: { name?: unknown }): boolean => String(volume.name).startsWith('kube-api-access-')
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])])
    container['volumeMounts'] = (container['volumeMounts'] as { name: string }[] | undefined)?.filter(mount => !isToken(mount))
  spec['volumes'] = (spec['volumes'] as { name: string }[] | undefined)?.filter(volume => !isToken(volume))
  const status = copy['status'] as Record<string, Record<string, unknown>[] | undefined>
  for (const container of [...(status['containerStatuses'] ?? []), ...(status['initContainerStatuses'] ?? [])])
    for (const field of ['volumeMounts', 'resources', 'allocatedResources', 'user']) delete container[field]
  return JSON.parse(JSON.stringify(copy)) as Json
}

async function happen(
  happening: Happening,
  namespace: string,
  recorder: Recorder,
  judged: KubernetesObject | undefined,
): Promise<void> {
  if ('apply' in happening) for (const object of happening.apply) await send(object, namespace)
  else if ('owned' in happening) for (const object of happening.owned) await send(ownedBy(judged, object), namespace)
  else if ('status' in happening) await writeStatus(judged, namespace, happening.status)
  else if ('kubelet' in happening)
    await (happening.kubelet === 'stop' ? stopProcess('kubelet', 0) : startAgain('sandbox', 'kubelet'))
  else if ('says' in happening) await say(judged, namespace, happening.says)
  else if ('pushImage' in happening) await pushTag(happening.pushImage.replace('RUN', run))
  else if ('scale' in happening)
    await api.request('PATCH', `/apis/apps/v1/namespaces/${namespace}/deployments/web/scale`, {
      body: { spec: { replicas: happening.scale } },
      contentType: 'application/merge-patch+json',
    })
  else {
    const name = recorder.newestPod()
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (happening.pod === 'delete') await api.request('DELETE', path)
    else if (happening.pod === 'evict')
      await api.request('POST', `${path}/eviction`, {
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
      })
    // The kubelet itself then ends the pod as Failed, as it does with one that it evicts.
    else
      await api.request('PATCH', path, {
        body: { spec: { activeDeadlineSeconds: 1 } },
        contentType: 'application/merge-patch+json',
      })
  }
}

/** The judged object's controller writes its status: one that does not run here, in its words. `GENERATION` stands for the object's present one. */
async function writeStatus(
  judged: KubernetesObject | undefined,
  namespace: string,
  status: Readonly<Record<string, unknown>>,
): Promise<void> {
  if (judged === undefined) throw new Error('there is nothing whose status could be written')
  const path = (await api.resource(judged.apiVersion, judged.kind)).path(namespace, judged.metadata.name)
  const live = await api.request<KubernetesObject>('GET', path)
  const now = new Date(api.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  const text = JSON.stringify({ status })
    .replaceAll('"GENERATION"', String(live.metadata.generation ?? 1))
    .replaceAll('"NOW"', JSON.stringify(now))
  await api.request('PATCH', `${path}/status`, { body: JSON.parse(text), contentType: 'application/merge-patch+json' })
}

/** The judged object's controller says something in an event. */
async function say(
  judged: KubernetesObject | undefined,
  namespace: string,
  { reason, message, warning }: { readonly reason: string; readonly message: string; readonly warning: boolean },
): Promise<void> {
  const now = new Date(api.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  const { apiVersion, kind, metadata } = judged ?? { apiVersion: '', kind: '', metadata: { name: '' } }
  const body = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${metadata.name}.${randomBytes(6).toString('hex')}`, namespace },
    involvedObject: { apiVersion, kind, name: metadata.name, namespace, uid: metadata.uid },
    reason,
    message,
    type: warning ? 'Warning' : 'Normal',
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  }
  await api.request('POST', `/api/v1/namespaces/${namespace}/events`, { body })
}

function ownedBy(judged: KubernetesObject | undefined, object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { apiVersion, kind, metadata } = judged ?? {}
  const owner = { apiVersion, kind, name: metadata?.name, uid: metadata?.uid, controller: true, blockOwnerDeletion: true }
  return { ...object, metadata: { ...(object['metadata'] as object), ownerReferences: [owner] } }
}

/** A definition or a node, which stays for other scenarios. */
async function define(object: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<void> {
  const { kind, metadata } = await send(object)
  if (kind !== 'CustomResourceDefinition') return
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`
  const isEstablished = async (): Promise<boolean> => {
    const { status } = await api.request<{ status?: { conditions?: { type: string; status: string }[] } }>('GET', path)
    return (status?.conditions ?? []).some(({ type, status: holds }) => type === 'Established' && holds === 'True')
  }
  await until(10_000, isEstablished, signal)
  // The kinds of the new API are told a moment later.
  await pause(2_000, undefined, { signal })
}

/** Applies an object as deploy-k8s does. */
async function send(object: Readonly<Record<string, unknown>>, namespace?: string): Promise<KubernetesObject> {
  const body = JSON.parse(JSON.stringify(object).replaceAll('late-RUN', `late-${run}`)) as KubernetesObject
  const resource = await api.resource(body.apiVersion, body.kind)
  return api.request('PATCH', resource.path(namespace, body.metadata.name), {
    query: { fieldManager: 'deploy-actions', fieldValidation: 'Strict', force: 'true' },
    body,
  })
}

/** The same image under another tag. */
async function pushTag(reference: string): Promise<void> {
  const [repository = '', tag = ''] = reference.slice(REGISTRY.length + 1).split(':')
  const at = (of: string): string => `http://${REGISTRY}/v2/${repository}/manifests/${of}`
  const accept = [
    'docker.distribution.manifest.v2',
    'docker.distribution.manifest.list.v2',
    'oci.image.manifest.v1',
    'oci.image.index.v1',
  ]
    .map(type => `application/vnd.${type}+json`)
    .join(', ')
  const manifest = await fetch(at(BASE_IMAGE.split(':').at(-1) ?? ''), { headers: { accept } })
  if (!manifest.ok) throw new Error(`the registry has no ${BASE_IMAGE}: ${manifest.status}`)
  const headers = { 'content-type': manifest.headers.get('content-type') ?? '' }
  const pushed = await fetch(at(tag), { method: 'PUT', headers, body: await manifest.text() })
  if (!pushed.ok) throw new Error(`the registry refuses ${reference}: ${pushed.status}`)
}

const isWorkload = ({ kind }: Readonly<Record<string, unknown>>): boolean =>
  kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet'

/** All pods are of the newest revision and available, as each kind says it. */
async function isAvailable({ kind }: Readonly<Record<string, unknown>>, namespace: string): Promise<boolean> {
  const plural = `${String(kind).toLowerCase()}s`
  const workload = await api.request<KubernetesObject>('GET', `/apis/apps/v1/namespaces/${namespace}/${plural}/web`)
  const { replicas } = workload['spec'] as { replicas?: number }
  const status = (workload['status'] ?? {}) as Readonly<Record<string, number | undefined>>
  const daemon = kind === 'DaemonSet'
  const wanted = daemon ? status['desiredNumberScheduled'] : replicas
  const counts = daemon
    ? [status['updatedNumberScheduled'], status['numberAvailable']]
    : [status['updatedReplicas'], status['availableReplicas']]
  return status['observedGeneration'] === workload.metadata.generation && counts.every(count => count === wanted && count !== 0)
}

async function exists(path: string): Promise<boolean> {
  return api.request('GET', path).then(
    () => true,
    () => false,
  )
}

async function until(ms: number, holds: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  const end = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('what was to be there before the release is not')
    await pause(200, undefined, { signal })
  }
}

mkdirSync(folder, { recursive: true })

let failures = 0

async function recordNext(queue: Scenario[]): Promise<void> {
  for (let scenario = queue.shift(); scenario !== undefined && !interrupted.signal.aborted; scenario = queue.shift()) {
    try {
      const recording = await record(scenario)
      const text = formatRecording(recording)
      if (text.length > LARGEST_BYTES) throw new Error(`the recording is too large: ${text.length} bytes`)
      writeFileSync(join(folder, `${scenario.name}.json`), text)
      console.log(`${scenario.name}: ${recording.frames.length} frames, ${Math.round(text.length / 1024)} KiB`)
    } catch (error) {
      failures++
      console.error(`${scenario.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

// The longest first, so that no single one is left over at the end.
const chosen = scenarios
  .filter(scenario => wanted.length === 0 || wanted.includes(scenario.name))
  .sort((a, b) => b.seconds - a.seconds)
const together = chosen.filter(({ alone }) => alone !== true)
await Promise.all(Array.from({ length: AT_ONCE }, () => recordNext(together)))
await recordNext(chosen.filter(({ alone }) => alone === true))
await connection.close()
process.exitCode = failures === 0 && !interrupted.signal.aborted ? 0 : 1
