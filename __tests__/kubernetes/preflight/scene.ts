// A cluster in the test's memory and a release from YAML, for the checks before the change.
import { parseAllDocuments } from 'yaml'
import { systemClock } from '../../../src/deploy/clock.ts'
import { ApiFailure, type KubernetesApi, METADATA_ONLY, type RequestOptions } from '../../../src/kubernetes/api.ts'
import { ImageResolver } from '../../../src/kubernetes/image-digests.ts'
import { loadManifestText } from '../../../src/kubernetes/manifests.ts'
import type { KubernetesObject } from '../../../src/kubernetes/objects.ts'
import { ClusterReads } from '../../../src/kubernetes/preflight/cluster-reads.ts'
import type { CheckContext } from '../../../src/kubernetes/preflight/finding.ts'
import { type PodTemplate, podTemplates } from '../../../src/kubernetes/preflight/pod-templates.ts'
import type { Step } from '../../../src/kubernetes/steps.ts'

/** Answers to `METHOD path`: an object, a list's items, or the status of a refusal. */
export type Answers = Record<string, unknown>

export interface FakeCluster extends KubernetesApi {
  readonly asked: string[]
  /** What is answered may change while a test runs. */
  answers: Answers
}

const KINDS: Readonly<Record<string, readonly [string, boolean]>> = {
  Namespace: ['namespaces', false],
  StorageClass: ['storageclasses', false],
  PriorityClass: ['priorityclasses', false],
  PersistentVolume: ['persistentvolumes', false],
  CustomResourceDefinition: ['customresourcedefinitions', false],
}

export function cluster(answers: Answers = {}): FakeCluster {
  const asked: string[] = []
  const answer = (method: string, path: string, options?: RequestOptions): unknown => {
    const key = `${method} ${path}`
    asked.push(options?.accept === METADATA_ONLY ? `${key} (metadata)` : key)
    const found = fake.answers[key] ?? fake.answers[path]
    const value = typeof found === 'function' ? (found as (body: unknown) => unknown)(options?.body) : found
    if (typeof value === 'number') throw refusal(value)
    if (value === undefined) throw refusal(404)
    return value
  }
  const fake: FakeCluster = {
    asked,
    answers,
    async request<T>(method: string, path: string, options?: RequestOptions): Promise<T> {
      return answer(method, path, options) as T
    },
    async list(path) {
      const found = fake.answers[`LIST ${path}`] ?? fake.answers[path] ?? []
      asked.push(`LIST ${path}`)
      if (typeof found === 'number') throw refusal(found)
      return { items: found as KubernetesObject[], resourceVersion: '1' }
    },
    async resource(apiVersion, kind) {
      const [plural, namespaced] = KINDS[kind] ?? [`${kind.toLowerCase()}s`, true]
      const slash = apiVersion.indexOf('/')
      const [group, version] = slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)]
      return { group, version, plural, namespaced, path: () => '' }
    },
    text: () => Promise.reject(new Error('not planned')),
    stream: () => Promise.reject(new Error('not planned')),
    now: () => Date.now(),
  }
  return fake
}

function refusal(status: number): ApiFailure {
  return new ApiFailure(
    status,
    status === 403 ? 'Forbidden' : status === 404 ? 'NotFound' : 'InternalError',
    `refused (${status})`,
  )
}

/** Steps of a release in namespace `shop`. `live` are objects as they are now; what is to be is what the manifest says. */
export async function steps(yaml: string, live = ''): Promise<readonly Step[]> {
  const manifests = await loadManifestText(yaml, 'web.yaml')
  const now = parseAllDocuments(live).map(document => document.toJS() as KubernetesObject | null)
  return manifests.map(manifest => {
    const { kind, metadata } = manifest.object
    const clusterWide = KINDS[kind]?.[1] === false
    const object = clusterWide ? manifest.object : { ...manifest.object, metadata: { namespace: 'shop', ...metadata } }
    const known = now.find(other => other?.kind === kind && other.metadata.name === metadata.name) ?? undefined
    const was = known === undefined || clusterWide ? known : { ...known, metadata: { namespace: 'shop', ...known.metadata } }
    return {
      action: 'apply',
      body: object,
      live: was,
      before: was,
      desired: object,
      fieldManager: 'deploy-actions',
      keepReplicas: false,
      position: path => manifest.position(path),
    } satisfies Step
  })
}

export async function context(yaml: string, api: FakeCluster = cluster(), live = ''): Promise<CheckContext> {
  const { signal } = new AbortController()
  return {
    api,
    namespace: 'shop',
    app: 'web',
    steps: await steps(yaml, live),
    env: {},
    clock: systemClock,
    signal,
    reads: new ClusterReads(api, signal),
    images: new ImageResolver({ credentials: async () => undefined, timeoutMs: 20_000 }),
  }
}

export interface DeploymentYaml {
  readonly name?: string
  /** Of the pod spec: lines of YAML. */
  readonly pod?: string
  /** Of the container. */
  readonly container?: string
  /** Of the Deployment's spec. */
  readonly spec?: string
  readonly image?: string
}

export function deployment({
  name = 'web',
  pod = '',
  container = '',
  spec = '',
  image = 'ghcr.io/acme/web:1',
}: DeploymentYaml = {}): string {
  const indented = (text: string, by: number): string =>
    text === ''
      ? ''
      : `${text
          .split('\n')
          .map(line => ' '.repeat(by) + line)
          .join('\n')}\n`
  return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector: { matchLabels: { app: ${name} } }
${indented(spec, 2)}  template:
    metadata: { labels: { app: ${name} } }
    spec:
${indented(pod, 6)}      containers:
        - name: app
          image: ${image}
${indented(container, 10)}`
}

/** The one pod template of a release. */
export async function template(yaml: string, live = ''): Promise<PodTemplate> {
  const [first] = podTemplates(await steps(yaml, live), 'shop')
  if (first === undefined) throw new Error('there is no pod template')
  return first
}

export const SHOP = '/api/v1/namespaces/shop'
