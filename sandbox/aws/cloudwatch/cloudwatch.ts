// Amazon CloudWatch.
import type { Service } from '../service.ts'
import { alarmHandlers } from './alarms.ts'
import { metricHandlers } from './metrics.ts'
import { CloudWatch } from './state.ts'

export const cloudwatch: Service = {
  model: 'cloudwatch',
  invalid: 'ValidationError',
  handlers: {
    ...alarmHandlers,
    ...metricHandlers,
    TagResource: (input: { ResourceARN: string; Tags: { Key: string; Value: string }[] }, { region }) => {
      const { tags } = region.part(CloudWatch)
      const others = (tags.get(input.ResourceARN) ?? []).filter(one => !input.Tags.some(tag => tag.Key === one.Key))
      tags.set(input.ResourceARN, [...others, ...input.Tags])
      return {}
    },
    UntagResource: (input: { ResourceARN: string; TagKeys: string[] }, { region }) => {
      const { tags } = region.part(CloudWatch)
      tags.set(
        input.ResourceARN,
        (tags.get(input.ResourceARN) ?? []).filter(one => !input.TagKeys.includes(one.Key ?? '')),
      )
      return {}
    },
    ListTagsForResource: (input: { ResourceARN: string }, { region }) => ({
      Tags: region.part(CloudWatch).tags.get(input.ResourceARN) ?? [],
    }),
  },
}
