// Amazon CloudWatch Logs.
import { AwsError } from '../protocol/errors.ts'
import type { Service } from '../service.ts'
import { type LogGroup, Logs } from './state.ts'

/** Most events of one answer, unless fewer are asked for. */
const MOST_EVENTS = 10_000

function groupOf(logs: Logs, name: string | undefined): LogGroup {
  const known = logs.groups.get((name ?? '').replace(/^arn:aws:logs:[^:]*:[^:]*:log-group:/, '').replace(/:\*$/, ''))
  if (known === undefined) throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.')
  return known
}

interface Range {
  readonly logGroupName?: string
  readonly logGroupIdentifier?: string
  readonly startTime?: number
  readonly endTime?: number
  readonly limit?: number
  readonly nextToken?: string
}

const within = ({ startTime = 0, endTime = Number.POSITIVE_INFINITY }: Range, at: number): boolean =>
  at >= startTime && at < endTime

export const logs: Service = {
  model: 'logs',
  invalid: 'InvalidParameterException',
  handlers: {
    CreateLogGroup: (input: { logGroupName: string; tags?: Record<string, string> }, { region }) => {
      const state = region.part(Logs)
      if (state.groups.has(input.logGroupName))
        throw new AwsError('ResourceAlreadyExistsException', 'The specified log group already exists')
      const made = state.create(input.logGroupName)
      for (const [key, value] of Object.entries(input.tags ?? {})) made.tags.set(key, value)
    },
    DeleteLogGroup: (input: { logGroupName: string }, { region }) => {
      const state = region.part(Logs)
      state.groups.delete(groupOf(state, input.logGroupName).name)
    },
    PutRetentionPolicy: (input: { logGroupName: string; retentionInDays: number }, { region }) => {
      groupOf(region.part(Logs), input.logGroupName).retention = input.retentionInDays
    },
    DeleteRetentionPolicy: (input: { logGroupName: string }, { region }) => {
      groupOf(region.part(Logs), input.logGroupName).retention = undefined
    },
    DescribeLogGroups: (input: { logGroupNamePrefix?: string }, { region }) => ({
      logGroups: [...region.part(Logs).groups.values()]
        .filter(group => group.name.startsWith(input.logGroupNamePrefix ?? ''))
        .map(group => ({
          logGroupName: group.name,
          creationTime: group.createdAt,
          ...(group.retention !== undefined && { retentionInDays: group.retention }),
          metricFilterCount: 0,
          arn: `${region.arn('logs', `log-group:${group.name}`)}:*`,
          logGroupArn: region.arn('logs', `log-group:${group.name}`),
          logGroupClass: 'STANDARD',
          storedBytes: 0,
        })),
    }),
    CreateLogStream: (input: { logGroupName: string; logStreamName: string }, { region }) => {
      const state = region.part(Logs)
      const group = groupOf(state, input.logGroupName)
      if (group.streams.has(input.logStreamName))
        throw new AwsError('ResourceAlreadyExistsException', 'The specified log stream already exists')
      state.write(group, input.logStreamName, [])
    },
    DescribeLogStreams: (
      input: { logGroupName?: string; logGroupIdentifier?: string; logStreamNamePrefix?: string },
      { region },
    ) => {
      const group = groupOf(region.part(Logs), input.logGroupName ?? input.logGroupIdentifier)
      return {
        logStreams: [...group.streams]
          .filter(([name]) => name.startsWith(input.logStreamNamePrefix ?? ''))
          .map(([name, stream]) => ({
            logStreamName: name,
            creationTime: Math.round(stream.createdAt),
            firstEventTimestamp: stream.events[0]?.timestamp,
            lastEventTimestamp: stream.events.at(-1)?.timestamp,
            lastIngestionTime: stream.events.at(-1)?.ingestionTime,
            arn: region.arn('logs', `log-group:${group.name}:log-stream:${name}`),
            storedBytes: 0,
          })),
      }
    },
    PutLogEvents: (
      input: { logGroupName: string; logStreamName: string; logEvents: { timestamp: number; message: string }[] },
      { region },
    ) => {
      const state = region.part(Logs)
      const group = groupOf(state, input.logGroupName)
      if (!group.streams.has(input.logStreamName))
        throw new AwsError('ResourceNotFoundException', 'The specified log stream does not exist.')
      for (const { timestamp, message } of input.logEvents) state.write(group, input.logStreamName, [message], timestamp)
      return { nextSequenceToken: '49590302025442917250123456789012345678901234567890123456' }
    },
    GetLogEvents: (input: Range & { logStreamName: string; startFromHead?: boolean }, { region }) => {
      const group = groupOf(region.part(Logs), input.logGroupName ?? input.logGroupIdentifier)
      const stream = group.streams.get(input.logStreamName)
      if (stream === undefined) throw new AwsError('ResourceNotFoundException', 'The specified log stream does not exist.')
      const all = stream.events.filter(event => within(input, event.timestamp))
      const limit = input.limit ?? MOST_EVENTS
      // A token says where to go on; the end is where it comes back unchanged.
      const [, way, at] = /^([fb])\/(\d+)$/.exec(input.nextToken ?? '') ?? []
      const from =
        way === 'f'
          ? Number(at)
          : way === 'b'
            ? Math.max(0, Number(at) - limit)
            : input.startFromHead === true
              ? 0
              : Math.max(0, all.length - limit)
      const to = way === 'b' ? Number(at) : Math.min(all.length, from + limit)
      return {
        events: all.slice(from, to).map(({ timestamp, message, ingestionTime }) => ({ timestamp, message, ingestionTime })),
        nextForwardToken: `f/${to}`,
        nextBackwardToken: `b/${from}`,
      }
    },
    FilterLogEvents: (
      input: Range & { logStreamNames?: string[]; logStreamNamePrefix?: string; filterPattern?: string },
      { region },
    ) => {
      const group = groupOf(region.part(Logs), input.logGroupName ?? input.logGroupIdentifier)
      const words = (input.filterPattern ?? '')
        .replaceAll('"', '')
        .split(/\s+/)
        .filter(word => word !== '')
      const all = [...group.streams]
        .filter(([name]) => (input.logStreamNames?.includes(name) ?? true) && name.startsWith(input.logStreamNamePrefix ?? ''))
        .flatMap(([name, stream]) => stream.events.map(event => ({ name, ...event })))
        .filter(event => within(input, event.timestamp) && words.every(word => event.message.includes(word)))
        .sort((a, b) => a.timestamp - b.timestamp)
      const from = Number(input.nextToken ?? 0)
      const to = from + (input.limit ?? MOST_EVENTS)
      return {
        events: all.slice(from, to).map(({ name, timestamp, message, ingestionTime, id }) => ({
          ...{ logStreamName: name, timestamp, message, ingestionTime, eventId: id },
        })),
        searchedLogStreams: [],
        nextToken: to < all.length ? String(to) : undefined,
      }
    },
    TagResource: (input: { resourceArn: string; tags: Record<string, string> }, { region }) => {
      const group = groupOf(region.part(Logs), input.resourceArn)
      for (const [key, value] of Object.entries(input.tags)) group.tags.set(key, value)
    },
    UntagResource: (input: { resourceArn: string; tagKeys: string[] }, { region }) => {
      const group = groupOf(region.part(Logs), input.resourceArn)
      for (const key of input.tagKeys) group.tags.delete(key)
    },
    ListTagsForResource: (input: { resourceArn: string }, { region }) => ({
      tags: Object.fromEntries(groupOf(region.part(Logs), input.resourceArn).tags),
    }),
  },
}
