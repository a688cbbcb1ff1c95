// Which revision a rollback of a service puts back: chosen from the family by what its tags say of this very service.
import type { Service } from '@aws-sdk/client-ecs'
import { ecrRegistry } from '../image/ecr.ts'
import { readReference } from '../image/reference.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import { type Revision, readRevision } from './live-service.ts'
import type { LiveService, Wanted } from './passage.ts'
import { releaseNote, statusOf } from './tags.ts'
import { imagesOf } from './task-definition.ts'

/** What to go back to: a number is a revision's. */
export type EcsRollbackTo = 'last-verified' | 'previous' | number | { readonly tag: string } | { readonly revision: string }

export interface RollbackTargetOptions {
  readonly api: AwsApi
  readonly cluster: string
  readonly to: EcsRollbackTo
  /** The revision that is to be taken away: its number, 0 for whatever is live, or `family:revision` by service. */
  readonly bad: number | ReadonlyMap<string, string>
  /** Called with what was chosen of each service. */
  readonly onChosen: (service: string, live: Revision, chosen: Revision) => void
}

/** No more revisions are looked at: what is older than that nobody wants back without naming it. */
const LOOKED_AT = 50
const AT_ONCE = 5

export function rollbackTarget(options: RollbackTargetOptions): (live: readonly LiveService[]) => Promise<readonly Wanted[]> {
  return live =>
    Promise.all(
      live.map(async each => {
        const chosen = await choose(options, each)
        options.onChosen(each.name, each.revision, chosen)
        return {
          definition: chosen.definition,
          tags: [],
          revision: chosen,
          settings: { forceNewDeployment: false, circuitBreaker: 'keep' as const, alarms: [] },
        }
      }),
    )
}

async function choose(
  { api, cluster, to, bad }: RollbackTargetOptions,
  { name, service, revision: live }: LiveService,
): Promise<Revision> {
  const address = (revision: string): string => `ecs://${cluster}/${name}/${revision}`
  const [family = '', number = '0'] = live.name.split(':')
  const meant = (typeof bad === 'number' ? bad !== 0 && `${family}:${bad}` : bad.get(name)) || live.name
  if (meant !== live.name)
    throw new ExpectedFailure('NotFound', `${address(meant)} is not live, ${address(live.name)} is; nothing was changed.`)
  const wanted =
    typeof to === 'number'
      ? `${family}:${to}`
      : typeof to === 'object' && 'revision' in to
        ? named(family, to.revision)
        : undefined
  if (wanted !== undefined) {
    const found = await readRevision(api, wanted)
    if (!found.active)
      throw new ExpectedFailure('InvalidInput', `${found.name} is INACTIVE: it was deregistered. Nothing was changed.`)
    const status = statusOf(found.tags, cluster, name)
    if (status === 'failed' || status === 'pending')
      throw new ExpectedFailure(
        'InvalidInput',
        `Release ${address(found.name)} is ${status}: it never came up, so it cannot be gone back to. Nothing was changed.`,
      )
    return found
  }
  const images = [...imagesOf(live.definition).values()]
  const digests = typeof to === 'object' && 'tag' in to ? await digestsOfTag(api, images, to.tag) : new Set()
  const suits = (revision: Revision): boolean => {
    const status = statusOf(revision.tags, cluster, name)
    if (typeof to === 'object') {
      const references = [...imagesOf(revision.definition).values()].flatMap(image => readReference(image) ?? [])
      const has = references.some(({ tag, digest }) => ('tag' in to && tag === to.tag) || digests.has(digest))
      return has && status !== 'failed'
    }
    return to === 'last-verified' ? status === 'verified' : status === 'verified' || status === 'deployed'
  }
  const older = await olderRevisions(api, family, Number(number), suits)
  if (older !== undefined) return older
  const before = to === 'previous' ? await beforeTheFirst(api, cluster, service, live) : undefined
  if (before !== undefined) return before
  if (typeof to === 'object')
    throw new ExpectedFailure(
      'NotFound',
      `No revision of ${family} before ${live.name} has an image with the tag ${'tag' in to ? to.tag : ''}. Nothing was changed.`,
    )
  throw new ExpectedFailure(
    'NotFound',
    to === 'last-verified'
      ? `No release before ${address(live.name)} was ever verified; nothing was changed. Use to: previous or a revision's number; smoke-test's input verifies marks a release verified.`
      : `There is no release before ${address(live.name)}; nothing was changed. Use to: with a revision's number.`,
  )
}

/** The first release that is recorded still knows what was there by other means. What was rolled back before is nothing to go back to. */
async function beforeTheFirst(api: AwsApi, cluster: string, service: Service, live: Revision): Promise<Revision | undefined> {
  const note = releaseNote(service)
  if (note === undefined || note.revision !== live.name || note.before === '' || note.before === live.name) return undefined
  const before = await readRevision(api, note.before)
  const status = statusOf(before.tags, cluster, service.serviceName ?? '')
  return before.active && (status === undefined || status === 'deployed' || status === 'verified') ? before : undefined
}

const named = (family: string, revision: string): string => (/^\d+$/.test(revision) ? `${family}:${revision}` : revision)

/** What a tag stands for in Amazon ECR: images that are named by digest alone are known by it. Empty where that can't be asked. */
async function digestsOfTag(api: AwsApi, images: readonly string[], tag: string): Promise<ReadonlySet<unknown>> {
  const found = await Promise.all(
    images.map(async image => {
      const reference = readReference(image)
      const registry = ecrRegistry(reference?.registry ?? '')
      if (reference?.digest === undefined || registry === undefined) return undefined
      try {
        const repository = { registryId: registry.account, repositoryName: reference.repository }
        const { imageDetails } = await api.call('ecr', 'DescribeImages', { ...repository, imageIds: [{ imageTag: tag }] })
        return imageDetails?.[0]?.imageDigest
      } catch (error) {
        if (!(error instanceof AwsFailure) || error.reason === 'Unauthorized') throw error
        return undefined
      }
    }),
  )
  return new Set(found.filter(digest => digest !== undefined))
}

/** The newest active revision of the family before `number` that suits. */
async function olderRevisions(
  api: AwsApi,
  family: string,
  number: number,
  suits: (revision: Revision) => boolean,
): Promise<Revision | undefined> {
  let nextToken: string | undefined
  let looked = 0
  do {
    const page = await api.call('ecs', 'ListTaskDefinitions', {
      familyPrefix: family,
      status: 'ACTIVE',
      sort: 'DESC',
      maxResults: 100,
      ...(nextToken === undefined ? {} : { nextToken }),
    })
    const arns = (page.taskDefinitionArns ?? []).filter(
      arn => arn.includes(`/${family}:`) && Number(arn.slice(arn.lastIndexOf(':') + 1)) < number,
    )
    for (let index = 0; index < arns.length && looked < LOOKED_AT; index += AT_ONCE) {
      const some = arns.slice(index, index + AT_ONCE)
      looked += some.length
      const found = (await Promise.all(some.map(arn => readRevision(api, arn)))).find(suits)
      if (found !== undefined) return found
    }
    nextToken = page.nextToken
  } while (nextToken !== undefined && looked < LOOKED_AT)
  return undefined
}
