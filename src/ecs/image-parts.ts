// The parts of an image with several platforms, as ECR has its index.
import { ecrRegistry } from '../image/ecr.ts'
import { readReference } from '../image/reference.ts'
import { parseObject, platformsOf } from '../image/registry.ts'
import type { AwsApi } from './api.ts'
import { AwsFailure } from './api.ts'
import type { ImageParts } from './judge/digests.ts'

/** The index' own types, and a single image's, which has no parts. */
const ACCEPTED = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]

/** @param image as the task definition names it @param digest what it was deployed as */
export async function readImageParts(api: Pick<AwsApi, 'call' | 'region'>, image: string, digest: string): Promise<ImageParts> {
  const reference = readReference(image)
  const registry = reference === undefined ? undefined : ecrRegistry(reference.registry)
  if (reference === undefined || registry === undefined) return { unread: 'its registry is not Amazon ECR' }
  if (api.region !== '' && registry.region !== api.region) return { unread: `it is in another region, ${registry.region}` }
  try {
    const { images = [] } = await api.call('ecr', 'BatchGetImage', {
      registryId: registry.account,
      repositoryName: reference.repository,
      imageIds: [{ imageDigest: digest }],
      acceptedMediaTypes: ACCEPTED,
    })
    const manifest = images[0]?.imageManifest
    if (manifest === undefined) return { unread: 'Amazon ECR has it no more' }
    return platformsOf(parseObject(Buffer.from(manifest)))
  } catch (error) {
    if (!(error instanceof AwsFailure)) throw error
    return { unread: error.message }
  }
}
