// Amazon ECR: repositories and the images in them, by tag and digest. What is pushed is a manifest; layers are nobody's concern here.
import { AwsError } from '../protocol/errors.ts'
import type { Service } from '../service.ts'
import { digestOf, Ecr, type Repository, type StoredImage } from './state.ts'

interface ImageId {
  readonly imageDigest?: string
  readonly imageTag?: string
}

interface Named {
  readonly repositoryName: string
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

function repositoryOf(ecr: Ecr, name: string): Repository {
  const known = ecr.repositories.get(name)
  const { account } = ecr.region.world
  if (known === undefined)
    throw new AwsError(
      'RepositoryNotFoundException',
      `The repository with name '${name}' does not exist in the registry with id '${account}'`,
    )
  return known
}

const describe = (ecr: Ecr, one: Repository): object => ({
  repositoryArn: one.arn,
  registryId: ecr.region.world.account,
  repositoryName: one.name,
  repositoryUri: `${ecr.host}/${one.name}`,
  createdAt: one.createdAt,
  imageTagMutability: one.mutability,
  imageScanningConfiguration: { scanOnPush: one.scanOnPush },
  encryptionConfiguration: { encryptionType: 'AES256' },
})

const find = (one: Repository, { imageDigest, imageTag }: ImageId): StoredImage | undefined =>
  imageDigest !== undefined
    ? one.images.get(imageDigest)
    : [...one.images.values()].find(image => imageTag !== undefined && image.tags.has(imageTag))

const notFound = (ecr: Ecr, one: Repository, id: ImageId): AwsError =>
  new AwsError(
    'ImageNotFoundException',
    `The image with imageId {imageDigest:'${id.imageDigest ?? 'null'}', imageTag:'${id.imageTag ?? 'null'}'} does not exist within the repository with name '${one.name}' in the registry with id '${ecr.region.world.account}'`,
  )

const image = (ecr: Ecr, one: Repository, stored: StoredImage, tag: string | undefined): object => ({
  registryId: ecr.region.world.account,
  repositoryName: one.name,
  imageId: { imageDigest: stored.digest, ...(tag !== undefined && { imageTag: tag }) },
  imageManifest: stored.manifest,
  imageManifestMediaType: stored.mediaType,
})

export const ecr: Service = {
  model: 'ecr',
  invalid: 'InvalidParameterException',
  handlers: {
    CreateRepository: (
      input: Named & {
        imageTagMutability?: string
        imageScanningConfiguration?: { scanOnPush?: boolean }
        tags?: { Key: string; Value: string }[]
      },
      { region },
    ) => {
      const state = region.part(Ecr)
      if (state.repositories.has(input.repositoryName))
        throw new AwsError(
          'RepositoryAlreadyExistsException',
          `The repository with name '${input.repositoryName}' already exists in the registry with id '${state.region.world.account}'`,
        )
      const made = state.create(input.repositoryName)
      made.mutability = input.imageTagMutability ?? 'MUTABLE'
      made.scanOnPush = input.imageScanningConfiguration?.scanOnPush ?? false
      state.tags.set(made.arn, input.tags ?? [])
      return { repository: describe(state, made) }
    },
    DescribeRepositories: (input: { repositoryNames?: string[] }, { region }) => {
      const state = region.part(Ecr)
      const found = input.repositoryNames?.map(name => repositoryOf(state, name)) ?? [...state.repositories.values()]
      return { repositories: found.map(one => describe(state, one)) }
    },
    DeleteRepository: (input: Named & { force?: boolean }, { region }) => {
      const state = region.part(Ecr)
      const one = repositoryOf(state, input.repositoryName)
      if (one.images.size > 0 && input.force !== true)
        throw new AwsError(
          'RepositoryNotEmptyException',
          `The repository with name '${one.name}' cannot be deleted because it still contains images`,
        )
      state.repositories.delete(one.name)
      return { repository: describe(state, one) }
    },
    PutImage: (input: Named & { imageManifest: string; imageManifestMediaType?: string; imageTag?: string }, { region }) => {
      const state = region.part(Ecr)
      const one = repositoryOf(state, input.repositoryName)
      const before = input.imageTag === undefined ? undefined : find(one, { imageTag: input.imageTag })
      if (before?.digest === digestOf(input.imageManifest))
        throw new AwsError(
          'ImageAlreadyExistsException',
          `Image with digest '${before.digest}' and tag '${input.imageTag}' already exists`,
        )
      if (before !== undefined && one.mutability === 'IMMUTABLE')
        throw new AwsError(
          'ImageTagAlreadyExistsException',
          `The image tag '${input.imageTag}' already exists in the '${one.name}' repository and cannot be overwritten because the tag is immutable.`,
        )
      const stored = state.push(one, input.imageManifest, input.imageManifestMediaType ?? MANIFEST, input.imageTag)
      if (one.scanOnPush) stored.scan = { status: 'COMPLETE', severities: {}, completedAt: region.world.now() }
      return { image: image(state, one, stored, input.imageTag) }
    },
    BatchGetImage: (input: Named & { imageIds: ImageId[] }, { region }) => {
      const state = region.part(Ecr)
      const one = repositoryOf(state, input.repositoryName)
      const found = input.imageIds.map(id => ({ id, stored: find(one, id) }))
      return {
        images: found.flatMap(({ id, stored }) => (stored === undefined ? [] : [image(state, one, stored, id.imageTag)])),
        failures: found.flatMap(({ id, stored }) =>
          stored === undefined ? [{ imageId: id, failureCode: 'ImageNotFound', failureReason: 'Requested image not found' }] : [],
        ),
      }
    },
    BatchDeleteImage: (input: Named & { imageIds: ImageId[] }, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      const gone = input.imageIds.filter(id => {
        const stored = find(one, id)
        if (stored === undefined) return false
        if (id.imageTag === undefined) one.images.delete(stored.digest)
        else stored.tags.delete(id.imageTag)
        return true
      })
      return { imageIds: gone, failures: [] }
    },
    DescribeImages: (input: Named & { imageIds?: ImageId[]; nextToken?: string; maxResults?: number }, { region }) => {
      const state = region.part(Ecr)
      const one = repositoryOf(state, input.repositoryName)
      const found = input.imageIds?.map(id => {
        const stored = find(one, id)
        if (stored === undefined) throw notFound(state, one, id)
        return stored
      }) ?? [...one.images.values()]
      return {
        imageDetails: found.map(stored => ({
          registryId: region.world.account,
          repositoryName: one.name,
          imageDigest: stored.digest,
          ...(stored.tags.size > 0 && { imageTags: [...stored.tags] }),
          imageSizeInBytes: stored.manifest.length,
          imagePushedAt: stored.pushedAt,
          imageManifestMediaType: stored.mediaType,
          ...(stored.scan !== undefined && {
            imageScanStatus: { status: stored.scan.status },
            imageScanFindingsSummary: {
              imageScanCompletedAt: stored.scan.completedAt,
              findingSeverityCounts: stored.scan.severities,
            },
          }),
        })),
      }
    },
    ListImages: (input: Named, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      return {
        imageIds: [...one.images.values()].flatMap(({ digest, tags }) =>
          tags.size === 0 ? [{ imageDigest: digest }] : [...tags].map(tag => ({ imageDigest: digest, imageTag: tag })),
        ),
      }
    },
    StartImageScan: (input: Named & { imageId: ImageId }, { region }) => {
      const state = region.part(Ecr)
      const one = repositoryOf(state, input.repositoryName)
      const stored = find(one, input.imageId)
      if (stored === undefined) throw notFound(state, one, input.imageId)
      stored.scan = { status: 'COMPLETE', severities: {}, completedAt: region.world.now() }
      return {
        registryId: region.world.account,
        repositoryName: one.name,
        imageId: input.imageId,
        imageScanStatus: { status: 'IN_PROGRESS' },
      }
    },
    DescribeImageScanFindings: (input: Named & { imageId: ImageId }, { region }) => {
      const state = region.part(Ecr)
      const one = repositoryOf(state, input.repositoryName)
      const stored = find(one, input.imageId)
      if (stored === undefined) throw notFound(state, one, input.imageId)
      if (stored.scan === undefined)
        throw new AwsError('ScanNotFoundException', `Image scan does not exist for the image with '${stored.digest}'`)
      return {
        registryId: region.world.account,
        repositoryName: one.name,
        imageId: { imageDigest: stored.digest },
        imageScanStatus: { status: stored.scan.status },
        imageScanFindings: {
          imageScanCompletedAt: stored.scan.completedAt,
          findingSeverityCounts: stored.scan.severities,
          findings: [],
        },
      }
    },
    GetAuthorizationToken: (_input: object, { region }) => ({
      authorizationData: [
        {
          authorizationToken: Buffer.from('AWS:sandbox').toString('base64'),
          expiresAt: region.world.now() + 12 * 3600,
          proxyEndpoint: `https://${region.part(Ecr).host}`,
        },
      ],
    }),
    PutImageTagMutability: (input: Named & { imageTagMutability: string }, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      one.mutability = input.imageTagMutability
      return { registryId: region.world.account, repositoryName: one.name, imageTagMutability: one.mutability }
    },
    PutImageScanningConfiguration: (input: Named & { imageScanningConfiguration: { scanOnPush?: boolean } }, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      one.scanOnPush = input.imageScanningConfiguration.scanOnPush ?? false
      return {
        registryId: region.world.account,
        repositoryName: one.name,
        imageScanningConfiguration: { scanOnPush: one.scanOnPush },
      }
    },
    PutLifecyclePolicy: (input: Named & { lifecyclePolicyText: string }, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      one.lifecyclePolicy = input.lifecyclePolicyText
      return { registryId: region.world.account, repositoryName: one.name, lifecyclePolicyText: one.lifecyclePolicy }
    },
    GetLifecyclePolicy: (input: Named, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      if (one.lifecyclePolicy === undefined)
        throw new AwsError(
          'LifecyclePolicyNotFoundException',
          `Lifecycle policy does not exist for the repository with name '${one.name}' in the registry with id '${region.world.account}'`,
        )
      return { registryId: region.world.account, repositoryName: one.name, lifecyclePolicyText: one.lifecyclePolicy }
    },
    GetRepositoryPolicy: (input: Named, { region }) => {
      const one = repositoryOf(region.part(Ecr), input.repositoryName)
      throw new AwsError(
        'RepositoryPolicyNotFoundException',
        `Repository policy does not exist for the repository with name '${one.name}' in the registry with id '${region.world.account}'`,
      )
    },
    CreatePullThroughCacheRule: (input: { ecrRepositoryPrefix: string; upstreamRegistryUrl: string }, { region }) => {
      const { cacheRules } = region.part(Ecr)
      const { ecrRepositoryPrefix, upstreamRegistryUrl } = input
      if (cacheRules.has(ecrRepositoryPrefix))
        throw new AwsError(
          'PullThroughCacheRuleAlreadyExistsException',
          `A pull through cache rule with prefix '${ecrRepositoryPrefix}' already exists`,
        )
      const createdAt = region.world.now()
      cacheRules.set(ecrRepositoryPrefix, { createdAt, upstream: upstreamRegistryUrl })
      return { ecrRepositoryPrefix, upstreamRegistryUrl, createdAt, registryId: region.world.account }
    },
    DescribePullThroughCacheRules: (_input: object, { region }) => ({
      pullThroughCacheRules: [...region.part(Ecr).cacheRules].map(([ecrRepositoryPrefix, { createdAt, upstream }]) => ({
        ...{ ecrRepositoryPrefix, createdAt, upstreamRegistryUrl: upstream, registryId: region.world.account },
      })),
    }),
    TagResource: (input: { resourceArn: string; tags: { Key: string; Value: string }[] }, { region }) => {
      const { tags } = region.part(Ecr)
      const others = (tags.get(input.resourceArn) ?? []).filter(one => !input.tags.some(tag => tag.Key === one.Key))
      tags.set(input.resourceArn, [...others, ...input.tags])
      return {}
    },
    UntagResource: (input: { resourceArn: string; tagKeys: string[] }, { region }) => {
      const { tags } = region.part(Ecr)
      tags.set(
        input.resourceArn,
        (tags.get(input.resourceArn) ?? []).filter(one => !input.tagKeys.includes(one.Key ?? '')),
      )
      return {}
    },
    ListTagsForResource: (input: { resourceArn: string }, { region }) => ({
      tags: region.part(Ecr).tags.get(input.resourceArn) ?? [],
    }),
  },
}
