// Who may yet make a Secret, ConfigMap or claim that is not there: operators, Jobs, the cluster's own controllers. Something that is made by another
// object of the release cannot be there before the release is.
import type { KubernetesObject } from '../objects.ts'
import { groupOf, objectName } from '../objects.ts'
import type { ClusterReads } from './cluster-reads.ts'
import { isRecord, recordAt } from './pod-templates.ts'

/** The API groups of Kubernetes itself: of their objects only Jobs and annotations make others by name. */
const BUILT_IN = /^(|apps|batch|autoscaling|policy|([a-z0-9-]+\.)*k8s\.io)$/
/** Custom resources in Kubernetes' own domain that make Secrets: the CSI driver's, when a pod mounts it. */
const CUSTOM_ALL_THE_SAME = /(^|\.)x-k8s\.io$/
/** Operators of routes, scaling, rollouts, measurements and policies: their objects name Secrets and workloads, and make no Secret. */
const MAKES_NONE =
  /(^|\.)(argoproj\.io|cilium\.io|flagger\.app|istio\.io|keda\.sh|kyverno\.io|linkerd\.io|monitoring\.coreos\.com|projectcontour\.io|serving\.knative\.dev|traefik\.(io|containo\.us))$/
const DEEPEST = 40

/**
 * An object among these that names `name`, and so is taken to be what makes it: any custom resource that has it as a value (ExternalSecret,
 * SealedSecret, Certificate, a database's own kind; SecretProviderClass), a Job or Pod that has it in its arguments or environment (a certificate
 * generator), an object with an annotation of that value (serving certificates, cert-manager's Ingress).
 */
export function makerOf(name: string, objects: readonly KubernetesObject[]): string | undefined {
  const maker = objects.find(object =>
    isCustom(object) ? customNames(object, name) : jobNames(object, name) || annotationNames(object, name),
  )
  return maker === undefined ? undefined : objectName(maker)
}

function isCustom({ apiVersion }: KubernetesObject): boolean {
  const group = groupOf(apiVersion)
  return !MAKES_NONE.test(group) && (!BUILT_IN.test(group) || CUSTOM_ALL_THE_SAME.test(group))
}

/** By its value, or as the beginning of the name: CloudNativePG's cluster `db` makes the Secret `db-app`. */
function customNames(object: KubernetesObject, name: string): boolean {
  return object.metadata.name === name || name.startsWith(`${object.metadata.name}-`) || someString(object, text => text === name)
}

function jobNames(object: KubernetesObject, name: string): boolean {
  if (!['Job', 'CronJob', 'Pod'].includes(object.kind)) return false
  const isWord = new RegExp(`(^|[^a-z0-9.-])${name.replace(/[^a-z0-9-]/gi, '\\$&')}($|[^a-z0-9.-])`)
  const spec = recordAt(object, ['spec'])
  const pod = recordAt(spec, ['jobTemplate', 'spec', 'template', 'spec']) ?? recordAt(spec, ['template', 'spec']) ?? spec
  return ['initContainers', 'containers'].some(list => {
    const containers = pod?.[list]
    return (
      Array.isArray(containers) &&
      containers.filter(isRecord).some(container => {
        const env = Array.isArray(container['env']) ? container['env'].map(one => recordAt(one, [])?.['value']) : []
        return someString([container['command'], container['args'], env], text => isWord.test(text))
      })
    )
  })
}

function annotationNames(object: KubernetesObject, name: string): boolean {
  const annotations = Object.entries(object.metadata.annotations ?? {})
  if (annotations.some(([, value]) => value === name)) return true
  const certified = annotations.some(([key]) => /^(cert-manager\.io|kubernetes\.io\/tls-acme)/.test(key))
  return certified && someString(recordAt(object, ['spec'])?.['tls'], text => text === name)
}

function someString(value: unknown, test: (text: string) => boolean, depth = 0): boolean {
  if (typeof value === 'string') return test(value)
  if (typeof value !== 'object' || value === null || depth > DEEPEST) return false
  return Object.values(value).some(child => someString(child, test, depth + 1))
}

/** Kinds that make Secrets and ConfigMaps under a name they state. */
const KNOWN_MAKERS: Readonly<Record<string, readonly string[]>> = {
  'external-secrets.io': ['externalsecrets'],
  'bitnami.com': ['sealedsecrets'],
  'cert-manager.io': ['certificates'],
  'secrets.hashicorp.com': ['vaultstaticsecrets', 'vaultdynamicsecrets', 'vaultpkisecrets'],
  'onepassword.com': ['onepassworditems'],
  'secrets-store.csi.x-k8s.io': ['secretproviderclasses'],
  'secrets.infisical.com': ['infisicalsecrets'],
  'k8s.bitwarden.com': ['bitwardensecrets'],
}

interface Groups {
  readonly groups?: readonly { readonly name: string; readonly preferredVersion?: { readonly groupVersion?: string } }[]
}

/** Live objects of the known operators in a namespace. Read only when something is missing. */
export async function liveMakers(reads: ClusterReads, namespace: string): Promise<readonly KubernetesObject[]> {
  const groups = await reads.path<Groups>('/apis')
  if ('unreadable' in groups) return []
  const known = (groups.found?.groups ?? []).flatMap(({ name, preferredVersion }) =>
    (KNOWN_MAKERS[name] ?? []).map(plural => ({ plural, apiVersion: preferredVersion?.groupVersion ?? '' })),
  )
  const lists = await Promise.all(
    known.map(async ({ plural, apiVersion }) => {
      const reading = await reads.path<{ items?: KubernetesObject[] }>(
        `/apis/${apiVersion}/namespaces/${encodeURIComponent(namespace)}/${plural}?limit=500`,
      )
      const items = 'unreadable' in reading ? [] : (reading.found?.items ?? [])
      return items.map(item => ({
        ...item,
        apiVersion: item.apiVersion ?? apiVersion,
        kind: item.kind ?? plural.replace(/s$/, ''),
      }))
    }),
  )
  return lists.flat()
}
