// What ECR keeps in one region, and how an image reference is resolved against it.
import { createHash } from 'node:crypto'
import type { Region } from '../world.ts'

export interface StoredImage {
  readonly digest: string
  readonly manifest: string
  readonly mediaType: string
  readonly pushedAt: number
  readonly tags: Set<string>
  scan: { status: string; severities: Record<string, number>; completedAt: number } | undefined
}

export interface Repository {
  readonly arn: string
  readonly name: string
  readonly createdAt: number
  mutability: string
  scanOnPush: boolean
  lifecyclePolicy: string | undefined
  /** By digest. */
  readonly images: Map<string, StoredImage>
}

export const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

export class Ecr {
  readonly region: Region
  readonly repositories = new Map<string, Repository>()
  readonly tags = new Map<string, { Key?: string; Value?: string }[]>()
  /** Pull-through cache rules by the prefix of their repositories: the first pull makes repository and image. */
  readonly cacheRules = new Map<string, { createdAt: number; upstream: string }>()

  constructor(region: Region) {
    this.region = region
  }

  get host(): string {
    return `${this.region.world.account}.dkr.ecr.${this.region.name}.amazonaws.com`
  }

  create(name: string): Repository {
    const made: Repository = {
      arn: this.region.arn('ecr', `repository/${name}`),
      name,
      createdAt: this.region.world.now(),
      mutability: 'MUTABLE',
      scanOnPush: false,
      lifecyclePolicy: undefined,
      images: new Map(),
    }
    this.repositories.set(name, made)
    return made
  }

  push(repository: Repository, manifest: string, mediaType: string, tag: string | undefined): StoredImage {
    const digest = digestOf(manifest)
    const known = repository.images.get(digest)
    const image: StoredImage = known ?? {
      digest,
      manifest,
      mediaType,
      pushedAt: this.region.world.now(),
      tags: new Set(),
      scan: undefined,
    }
    if (tag !== undefined) for (const other of repository.images.values()) other.tags.delete(tag)
    if (tag !== undefined) image.tags.add(tag)
    repository.images.set(digest, image)
    return image
  }
}

interface Resolved {
  readonly names: string[]
  readonly digest: string
  /** That of an index' first platform; else the same. */
  readonly platform: string
}

/** What a pull of the reference finds. An image of another registry is always there, its digest made of its name. */
export function resolveImage(region: Region, reference: string): Resolved | 'not found' {
  const [named = '', digest] = reference.split('@')
  const found = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com\/([^:]+)(?::(.+))?$/.exec(named)
  if (found === null) {
    const made = digest ?? digestOf(reference)
    return { names: [reference, named], digest: made, platform: made }
  }
  const [, , regionName = '', repositoryName = '', tag = 'latest'] = found
  const repository = region.world.region(regionName).part(Ecr).repositories.get(repositoryName)
  const image = [...(repository?.images.values() ?? [])].find(one =>
    digest === undefined ? one.tags.has(tag) : one.digest === digest,
  )
  const prefixes = [...region.world.region(regionName).part(Ecr).cacheRules.keys()]
  if (image === undefined && prefixes.some(prefix => prefix === 'ROOT' || repositoryName.startsWith(`${prefix}/`))) {
    const made = digest ?? digestOf(reference)
    return { names: [reference, named], digest: made, platform: made }
  }
  if (image === undefined) return 'not found'
  const platform = (/index|list/.test(image.mediaType) ? firstOf(image.manifest) : undefined) ?? image.digest
  const base = named.replace(/:[^/]*$/, '')
  return { names: [reference, ...[...image.tags].map(one => `${base}:${one}`), base], digest: image.digest, platform }
}

const firstOf = (index: string): string | undefined =>
  (JSON.parse(index) as { manifests?: { digest: string }[] }).manifests?.[0]?.digest
