// Tags of clusters, services, task definitions and tasks, by ARN.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { Ecs } from './state.ts'
import type { Tag } from './types.ts'

/** ECS's limit (docs, "Tagging your Amazon ECS resources"). */
const MOST_TAGS = 50

export const tagsOf = (ecs: Ecs, arn: string): Tag[] => ecs.tags.get(arn) ?? []

/** @throws AwsError LimitExceededException where there would be too many, InvalidParameterException where one is AWS's own */
export function putTags(ecs: Ecs, arn: string, tags: readonly Tag[]): void {
  const others = tagsOf(ecs, arn).filter(one => !tags.some(tag => tag.key === one.key))
  const reserved = tags.find(tag => tag.key?.toLowerCase().startsWith('aws:'))
  if (reserved !== undefined)
    throw new AwsError('InvalidParameterException', 'Tag keys that begin with aws: are reserved for system use.')
  if (others.length + tags.length > MOST_TAGS)
    throw new AwsError('LimitExceededException', 'The limit for the resource was exceeded.')
  ecs.tags.set(arn, [...others, ...tags])
}

function known(ecs: Ecs, arn: string): boolean {
  const definition = /:task-definition\/([^:]+):(\d+)$/.exec(arn)
  if (definition !== null) return ecs.families.get(definition[1] ?? '')?.some(one => one.taskDefinitionArn === arn) === true
  return (
    [...ecs.clusters.values()].some(cluster => cluster.arn === arn) ||
    ecs.services.some(service => service.arn === arn || service.taskSets.some(set => set.arn === arn)) ||
    ecs.tasks.has(arn)
  )
}

function mustBeKnown(ecs: Ecs, arn: string): void {
  if (!known(ecs, arn))
    throw new AwsError('InvalidParameterException', 'The specified resource is not found. Verify the resource ARN and try again.')
}

export const tagHandlers: Record<string, Handler> = {
  TagResource: (input: { resourceArn: string; tags: Tag[] }, { region }) => {
    const ecs = region.part(Ecs)
    mustBeKnown(ecs, input.resourceArn)
    putTags(ecs, input.resourceArn, input.tags)
  },
  UntagResource: (input: { resourceArn: string; tagKeys: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    mustBeKnown(ecs, input.resourceArn)
    const kept = tagsOf(ecs, input.resourceArn).filter(tag => !input.tagKeys.includes(tag.key ?? ''))
    ecs.tags.set(input.resourceArn, kept)
  },
  ListTagsForResource: (input: { resourceArn: string }, { region }) => {
    const ecs = region.part(Ecs)
    mustBeKnown(ecs, input.resourceArn)
    return { tags: tagsOf(ecs, input.resourceArn) }
  },
}
