// Service deployments and revisions: described, listed, stopped, continued.
import { AwsError } from '../protocol/errors.ts'
import type { Handler } from '../service.ts'
import { answerHook } from './blue-green.ts'
import { briefServiceDeployment, describeRevision, describeServiceDeployment } from './describe.ts'
import { clusterOf, findService, page } from './find.ts'
import { hasEnded, rollBack } from './rollout.ts'
import { Ecs, type Service, type ServiceDeployment } from './state.ts'

const MOST_DESCRIBED = 20

function find(ecs: Ecs, arn: string): { service: Service; one: ServiceDeployment } | undefined {
  for (const service of ecs.services) {
    const one = service.serviceDeployments.find(other => other.arn === arn)
    if (one !== undefined) return { service, one }
  }
  return undefined
}

/** @throws AwsError ServiceDeploymentNotFoundException */
function found(ecs: Ecs, arn: string): { service: Service; one: ServiceDeployment } {
  const known = find(ecs, arn)
  if (known === undefined) throw new AwsError('ServiceDeploymentNotFoundException', 'The service deployment was not found.')
  return known
}

export const serviceDeploymentHandlers: Record<string, Handler> = {
  DescribeServiceDeployments: (input: { serviceDeploymentArns: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    if (input.serviceDeploymentArns.length > MOST_DESCRIBED)
      throw new AwsError('InvalidParameterException', 'The number of service deployment ARNs cannot exceed 20.')
    const all = input.serviceDeploymentArns.map(arn => ({ arn, known: find(ecs, arn) }))
    return {
      serviceDeployments: all.flatMap(({ known }) =>
        known === undefined ? [] : [describeServiceDeployment(ecs, known.service, known.one)],
      ),
      failures: all.flatMap(({ arn, known }) => (known === undefined ? [{ arn, reason: 'MISSING' }] : [])),
    }
  },
  ListServiceDeployments: (
    input: {
      service: string
      cluster?: string
      status?: string[]
      createdAt?: { before?: number; after?: number }
      nextToken?: string
      maxResults?: number
    },
    { region },
  ) => {
    const ecs = region.part(Ecs)
    const service = findService(ecs, clusterOf(ecs, input.cluster ?? clusterIn(input.service)), input.service)
    if (service === undefined) throw new AwsError('ServiceNotFoundException', 'Service not found.')
    const { after = Number.NEGATIVE_INFINITY, before = Number.POSITIVE_INFINITY } = input.createdAt ?? {}
    const all = service.serviceDeployments
      .toReversed()
      .filter(
        one =>
          (input.status === undefined || input.status.length === 0 || input.status.includes(one.status)) &&
          one.createdAt > after &&
          one.createdAt < before,
      )
    const { items, nextToken } = page(all, input.nextToken, input.maxResults ?? 20)
    return { serviceDeployments: items.map(one => briefServiceDeployment(service, one)), nextToken }
  },
  StopServiceDeployment: (input: { serviceDeploymentArn: string; stopType?: 'ABORT' | 'ROLLBACK' }, { region }) => {
    const ecs = region.part(Ecs)
    const { service, one } = found(ecs, input.serviceDeploymentArn)
    if (input.stopType === 'ABORT') throw new AwsError('InvalidParameterException', 'The stop type ABORT is not supported.')
    if (hasEnded(one)) throw new AwsError('ConflictException', `Cannot stop service deployment in ${one.status} state.`)
    if (one.status === 'PENDING' || one.status === 'IN_PROGRESS') {
      if (
        !service.serviceDeployments.some(
          other => other !== one && (other.status === 'SUCCESSFUL' || other.status === 'ROLLBACK_SUCCESSFUL'),
        )
      )
        throw new AwsError('ConflictException', 'Cannot roll back the service deployment: there is no rollback candidate.')
      one.status = 'ROLLBACK_REQUESTED'
      one.updatedAt = ecs.now()
      region.world.after(region.world.timing.rollbackRequested, () => {
        if (one.status === 'ROLLBACK_REQUESTED')
          rollBack(ecs, service, one, 'Service deployment rolled back because of a user request.', 'user')
      })
    }
    return { serviceDeploymentArn: one.arn }
  },
  ContinueServiceDeployment: (
    input: { serviceDeploymentArn: string; hookId: string; action?: 'CONTINUE' | 'ROLLBACK' },
    { region },
  ) => {
    const ecs = region.part(Ecs)
    const { service, one } = found(ecs, input.serviceDeploymentArn)
    answerHook(ecs, service, one, input.hookId, input.action ?? 'CONTINUE')
    return { serviceDeploymentArn: one.arn }
  },
  DescribeServiceRevisions: (input: { serviceRevisionArns: string[] }, { region }) => {
    const ecs = region.part(Ecs)
    const all = input.serviceRevisionArns.map(arn => {
      const service = ecs.services.find(one => one.revisions.some(revision => revision.arn === arn))
      const revision = service?.revisions.find(one => one.arn === arn)
      return {
        arn,
        found: service !== undefined && revision !== undefined ? describeRevision(ecs, service, revision) : undefined,
      }
    })
    return {
      serviceRevisions: all.flatMap(one => (one.found === undefined ? [] : [one.found])),
      failures: all.flatMap(one => (one.found === undefined ? [{ arn: one.arn, reason: 'MISSING' }] : [])),
    }
  },
}

/** The cluster in a service's ARN; without one the default. */
const clusterIn = (service: string): string | undefined => /:service\/([^/]+)\/[^/]+$/.exec(service)?.[1]
