// The credentials a pod itself brings to a registry: its imagePullSecrets, or those of its ServiceAccount where it names none.
import { type Credentials, credentialsIn, type DockerConfig } from '../../image/credentials.ts'
import type { ImageReference } from '../../image/reference.ts'
import type { KubernetesObject } from '../objects.ts'
import type { CheckContext } from './finding.ts'
import { accountOf, objectsToBe, type PodTemplate, recordAt } from './pod-templates.ts'

export interface PullCredentials {
  /** `secret/regcred` */
  readonly secret: string
  readonly credentials: Credentials
}

const LARGEST_CONFIG = 1024 * 1024

/** What a pull secret holds for an image, the most exact entry first. Anything that is no such secret holds nothing. */
export function credentialsOf(secret: KubernetesObject, image: ImageReference): readonly Credentials[] {
  const text = entryOf(secret, '.dockerconfigjson')
  const auths = text === undefined ? parse(entryOf(secret, '.dockercfg')) : recordAt(parse(text), ['auths'])
  return Object.entries(auths ?? {})
    .filter(([key]) => matches(key, image))
    .sort(([a], [b]) => b.length - a.length)
    .flatMap(([, entry]) => credentialsIn({ auths: { [image.registry]: entry } } as DockerConfig, image.registry) ?? hub(entry))
}

/** Docker Hub's entries are looked for under Docker Hub's own key. */
function hub(entry: unknown): Credentials | readonly Credentials[] {
  return credentialsIn({ auths: { 'https://index.docker.io/v1/': entry } } as DockerConfig, 'docker.io') ?? []
}

/**
 * Whether an entry's key is meant for the image. Source of the rules: Kubernetes documentation, Images, "Interpretation of config.json": an optional
 * scheme, `*` within one part of the host name, and a path that the image's path begins with.
 */
export function matches(key: string, { registry, repository }: ImageReference): boolean {
  const [host = '', ...path] = key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '')
    .split('/')
  const hosts = registry === 'docker.io' ? ['docker.io', 'index.docker.io'] : [registry]
  const wanted = `${path.join('/')}/`
  return hosts.some(name => sameHost(host, name)) && (path.length === 0 || `${repository}/`.startsWith(wanted))
}

function sameHost(pattern: string, host: string): boolean {
  const parts = pattern.split('.')
  const own = host.split('.')
  return parts.length === own.length && parts.every((part, index) => samePart(part, own[index] ?? ''))
}

function samePart(pattern: string, part: string): boolean {
  if (!pattern.includes('*')) return pattern === part
  const expression = pattern
    .slice(0, 100)
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '[^.]*')
  return new RegExp(`^${expression}$`).test(part)
}

function entryOf(secret: KubernetesObject, key: string): string | undefined {
  const plain = recordAt(secret, ['stringData'])?.[key]
  if (typeof plain === 'string') return plain
  const encoded = recordAt(secret, ['data'])?.[key]
  return typeof encoded === 'string' && encoded.length < LARGEST_CONFIG ? Buffer.from(encoded, 'base64').toString() : undefined
}

function parse(text: string | undefined): Record<string, unknown> | undefined {
  try {
    return recordAt(JSON.parse(text ?? ''), [])
  } catch {
    return undefined
  }
}

/** The Secrets from which a pod's images are pulled, as far as they are there and may be read. `missing` are those that are known not to be there. */
export async function pullSecretsOf(
  context: CheckContext,
  template: PodTemplate,
): Promise<{ readonly secrets: readonly KubernetesObject[]; readonly missing: readonly string[] }> {
  const own = namesIn(template.spec.imagePullSecrets)
  const names = own.length > 0 ? own : await namesOfAccount(context, template)
  const secrets = await Promise.all(
    names.map(async name => {
      const declared = declaredObject(context, 'Secret', template.namespace, name)
      if (declared !== undefined) return { name, found: declared }
      const reading = await context.reads.object('Secret', template.namespace, name)
      return 'unreadable' in reading ? undefined : { name, found: reading.found }
    }),
  )
  return {
    secrets: secrets.flatMap(secret => secret?.found ?? []),
    missing: secrets.flatMap(secret => (secret !== undefined && secret.found === undefined ? [secret.name] : [])),
  }
}

/** The pod's own list, even of one, replaces the account's (Kubernetes documentation, Configure Service Accounts). */
async function namesOfAccount(context: CheckContext, { namespace, spec }: PodTemplate): Promise<readonly string[]> {
  const name = accountOf(spec)
  const declared = declaredObject(context, 'ServiceAccount', namespace, name)
  if (declared !== undefined) return namesIn(declared['imagePullSecrets'])
  const reading = await context.reads.object('ServiceAccount', namespace, name)
  return 'unreadable' in reading ? [] : namesIn(reading.found?.['imagePullSecrets'])
}

function namesIn(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return []
  return list.map(entry => recordAt(entry, [])?.['name']).filter(name => typeof name === 'string' && name !== '') as string[]
}

/** An object that the release itself brings or keeps. */
export function declaredObject(
  { steps, namespace: own }: Pick<CheckContext, 'steps' | 'namespace'>,
  kind: string,
  namespace: string,
  name: string,
): KubernetesObject | undefined {
  return objectsToBe(steps).find(
    object => object.kind === kind && object.metadata.name === name && (object.metadata.namespace ?? own) === namespace,
  )
}
