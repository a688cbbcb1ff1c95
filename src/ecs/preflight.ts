// What a release lacks, looked for before anything is changed: images, secrets, log groups, roles, target groups, alarms. Only what the release brings anew is
// looked for, since what runs is there; what may not be read is said and passed over.
import { ecrRegistry } from '../image/ecr.ts'
import { readReference } from '../image/reference.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import { rolesNotToBePassed } from './pass-role.ts'
import type { LiveService } from './passage.ts'
import type { LookAhead } from './platform.ts'
import { type Definition, imagesOf } from './task-definition.ts'

export type PreflightMode = 'on' | 'warn' | 'off'

export interface PreflightOptions {
  readonly api: AwsApi
  readonly mode: PreflightMode
  readonly alarms: readonly string[]
  readonly log: Log
}

/** Something that is missing: the reason is the word ECS would have used. */
interface Finding {
  readonly reason: string
  readonly message: string
}

interface Planned {
  readonly live: LiveService
  readonly definition: Definition
}

/** Looks, and answers the digest that each image of ECR has. @throws ExpectedFailure that names all that is missing */
export function preflight(options: PreflightOptions): LookAhead {
  return async planned => {
    const digests = new Map<string, string>()
    for (const { definition } of planned)
      for (const image of imagesOf(definition).values()) {
        const digest = readReference(image)?.digest
        if (digest !== undefined) digests.set(image, digest)
      }
    if (options.mode === 'off') return digests
    const checks = [
      ...imageChecks(options, planned, digests),
      ...secretChecks(options, planned),
      ...logGroupChecks(options, planned),
      ...roleChecks(options, planned),
      ...portChecks(planned),
      ...targetGroupChecks(options, planned),
      ...alarmChecks(options),
    ]
    const findings = (await Promise.all(checks.map(check => safely(check, options.log)))).flat()
    const [first] = findings
    if (first === undefined) return digests
    const all = [...new Set(findings.map(({ message }) => message))]
    if (options.mode === 'warn') {
      for (const message of all) options.log.warning(message)
      return digests
    }
    const text = all.map(message => `${message.replace(/\.$/, '')}.`).join(' ')
    throw new ExpectedFailure(first.reason, `${text} Nothing was changed.`, { also: all.slice(1).map(message => ({ message })) })
  }
}

type Check = () => Promise<readonly Finding[]>

/** What may not be looked at is no finding. */
async function safely(check: Check, log: Log): Promise<readonly Finding[]> {
  try {
    return await check()
  } catch (error) {
    if (!(error instanceof AwsFailure) || error.reason === 'Unauthorized') throw error
    log.info(`Not looked at before the change: ${error.message}`)
    return []
  }
}

const isMissing = (error: unknown, ...codes: readonly string[]): error is AwsFailure =>
  error instanceof AwsFailure && codes.includes(error.code)

/** What the new definitions have and the live ones have not, each once, with the service that is to have it. */
function brought<T>(planned: readonly Planned[], of: (definition: Definition) => Iterable<T>): readonly T[] {
  const live = new Set(planned.flatMap(({ live: { revision } }) => [...of(revision.definition)]))
  return [...new Set(planned.flatMap(({ definition }) => [...of(definition)]))].filter(item => !live.has(item))
}

/** Of a region that is not asked: what is to be there cannot be looked for here. */
const isElsewhere = ({ region: asked }: AwsApi, region: string): boolean => asked !== '' && region !== asked

function imageChecks(
  { api, log }: PreflightOptions,
  planned: readonly Planned[],
  digests: Map<string, string>,
): readonly Check[] {
  return brought(planned, definition => imagesOf(definition).values()).flatMap(image => {
    const reference = readReference(image)
    if (reference === undefined)
      return [async () => [{ reason: 'CannotPullContainerError', message: `"${foreignLine(image, 200)}" is no image reference` }]]
    const registry = ecrRegistry(reference.registry)
    if (registry === undefined || isElsewhere(api, registry.region)) return []
    const { repository, tag, digest } = reference
    const imageId = digest === undefined ? { imageTag: tag ?? 'latest' } : { imageDigest: digest }
    return [
      async () => {
        try {
          const input = { registryId: registry.account, repositoryName: repository, imageIds: [imageId] }
          const { imageDetails = [] } = await api.call('ecr', 'DescribeImages', input)
          const found = imageDetails[0]?.imageDigest
          if (found !== undefined && digest === undefined) digests.set(image, found)
          return []
        } catch (error) {
          if (!isMissing(error, 'ImageNotFoundException', 'RepositoryNotFoundException')) throw error
          const message = `The image ${foreignLine(image, 300)} is not in Amazon ECR`
          const coming = await broughtByPull(api, registry.account, repository)
          if (coming === false) return [{ reason: 'CannotPullContainerError', message: `${message}: push it first` }]
          if (coming === true) log.info(`${message} yet: a pull-through cache rule brings it with the first pull.`)
          else log.warning(`${message}, unless a pull-through cache rule brings it, which is not known: ${coming}`)
          return []
        }
      },
    ]
  })
}

/**
 * Whether the first pull itself makes repository and image, as a pull-through cache rule of the registry has it; a sentence that says why, where that is not
 * known.
 */
async function broughtByPull(api: AwsApi, registryId: string, repository: string): Promise<boolean | string> {
  try {
    const { pullThroughCacheRules: rules = [] } = await api.call('ecr', 'DescribePullThroughCacheRules', {
      registryId,
      maxResults: 1_000,
    })
    return rules.some(
      ({ ecrRepositoryPrefix: prefix }) => prefix !== undefined && (prefix === 'ROOT' || repository.startsWith(`${prefix}/`)),
    )
  } catch (error) {
    if (!(error instanceof AwsFailure) || error.reason === 'Unauthorized') throw error
    return error.message
  }
}

function* secretsOf({ containerDefinitions = [] }: Definition): Iterable<string> {
  for (const { secrets = [] } of containerDefinitions)
    for (const { valueFrom } of secrets) if (valueFrom !== undefined) yield valueFrom
}

/** Always of Secrets Manager, by name or ARN. */
function* credentialsOf({ containerDefinitions = [] }: Definition): Iterable<string> {
  for (const { repositoryCredentials: { credentialsParameter } = {} } of containerDefinitions)
    if (credentialsParameter !== undefined) yield credentialsParameter
}

function secretChecks({ api }: PreflightOptions, planned: readonly Planned[]): readonly Check[] {
  const secrets = brought(planned, secretsOf)
  return [
    ...secrets.filter(valueFrom => SECRET.test(valueFrom)).map(secret => secretCheck(api, secret)),
    ...brought(planned, credentialsOf).map(secret => secretCheck(api, secret)),
    ...secrets.filter(valueFrom => !SECRET.test(valueFrom)).map(parameter => parameterCheck(api, parameter, accountOf(planned))),
  ]
}

/** `arn:…:secret:name-AbCdEf:key:stage:version`: what follows the name is a part of the secret. */
const SECRET = /^(arn:[^:]+:secretsmanager:([^:]+):\d+:secret:[^:]+)/
const PARAMETER = /^arn:[^:]+:ssm:([^:]+):(\d+):parameter(\/.*)$/
/** The account whose services are deployed. */
const accountOf = ([first]: readonly Planned[]): string => first?.live.revision.arn.split(':')[4] ?? ''

const notThere = (message: string): readonly Finding[] => [{ reason: 'ResourceInitializationError', message }]

function secretCheck(api: AwsApi, named: string): Check {
  return async () => {
    const [, arn = named, region] = SECRET.exec(named) ?? []
    if (region !== undefined && isElsewhere(api, region)) return []
    try {
      await api.call('secretsmanager', 'DescribeSecret', { SecretId: arn })
      return []
    } catch (error) {
      if (!isMissing(error, 'ResourceNotFoundException')) throw error
      return notThere(`The secret ${foreignLine(named, 200)} is not in Secrets Manager`)
    }
  }
}

function parameterCheck(api: AwsApi, valueFrom: string, ownAccount: string): Check {
  const isThere = async (name: string): Promise<boolean> => {
    const { InvalidParameters = [] } = await api.call('ssm', 'GetParameters', { Names: [name] })
    return InvalidParameters.length === 0
  }
  return async () => {
    const [, region, account, path] = PARAMETER.exec(valueFrom) ?? []
    if (region !== undefined && isElsewhere(api, region)) return []
    // One that another account shares is known by its whole ARN only.
    const name = path === undefined || account !== ownAccount ? valueFrom : path
    if (await isThere(name)) return []
    // One without a folder has no slash in its name, and one in its ARN.
    if (name === path && name.lastIndexOf('/') === 0 && (await isThere(name.slice(1)))) return []
    return notThere(`The parameter ${foreignLine(valueFrom, 200)} is not in Systems Manager`)
  }
}

function* logGroupsOf(api: AwsApi, { containerDefinitions = [] }: Definition): Iterable<string> {
  for (const { logConfiguration } of containerDefinitions) {
    const options = logConfiguration?.options ?? {}
    const group = options['awslogs-group']
    const region = options['awslogs-region']
    if (region !== undefined && isElsewhere(api, region)) continue
    if (logConfiguration?.logDriver === 'awslogs' && group !== undefined && options['awslogs-create-group'] !== 'true')
      yield group
  }
}

function logGroupChecks({ api }: PreflightOptions, planned: readonly Planned[]): readonly Check[] {
  return brought(planned, definition => logGroupsOf(api, definition)).map(group => async () => {
    const { logGroups = [] } = await api.call('logs', 'DescribeLogGroups', { logGroupNamePrefix: group })
    if (logGroups.some(({ logGroupName }) => logGroupName === group)) return []
    const message = `The log group ${foreignLine(group, 200)} is not there: make it, or set awslogs-create-group to true`
    return [{ reason: 'ResourceInitializationError', message }]
  })
}

function* rolesOf({ taskRoleArn, executionRoleArn }: Definition): Iterable<string> {
  if (taskRoleArn !== undefined) yield taskRoleArn
  if (executionRoleArn !== undefined) yield executionRoleArn
}

function roleChecks({ api, log }: PreflightOptions, planned: readonly Planned[]): readonly Check[] {
  const roles = brought(planned, rolesOf)
  const passed: Check = async () => (await rolesNotToBePassed(api, roles, log)).map(message => ({ reason: 'Forbidden', message }))
  const there = roles.map(
    (role): Check =>
      async () => {
        const name = role.slice(role.lastIndexOf('/') + 1)
        try {
          await api.call('iam', 'GetRole', { RoleName: name })
          return []
        } catch (error) {
          if (!isMissing(error, 'NoSuchEntityException', 'NoSuchEntity')) throw error
          return [{ reason: 'RoleNotAssumable', message: `The role ${foreignLine(role, 200)} is not there` }]
        }
      },
  )
  return [...there, passed]
}

/** A load balancer sends to a container and port that the new definition must still have. */
function portChecks(planned: readonly Planned[]): readonly Check[] {
  return planned.map(
    ({ live: { name, service }, definition }) =>
      async () =>
        (service.loadBalancers ?? []).flatMap(({ containerName, containerPort }) => {
          const container = definition.containerDefinitions?.find(candidate => candidate.name === containerName)
          const has = container?.portMappings?.some(port => port.containerPort === containerPort) === true
          if (has || containerName === undefined) return []
          const what = container === undefined ? `has no container ${containerName}` : `does not open its port ${containerPort}`
          return [
            {
              reason: 'InvalidInput',
              message: `The load balancer of service ${name} sends to container ${containerName}, port ${containerPort}, and the task definition ${what}`,
            },
          ]
        }),
  )
}

function targetGroupChecks({ api }: PreflightOptions, planned: readonly Planned[]): readonly Check[] {
  const groups = new Set(
    planned.flatMap(({ live }) => (live.service.loadBalancers ?? []).flatMap(({ targetGroupArn }) => targetGroupArn ?? [])),
  )
  if (groups.size === 0) return []
  return [
    async () => {
      try {
        await api.call('elasticloadbalancing', 'DescribeTargetGroups', { TargetGroupArns: [...groups] })
        return []
      } catch (error) {
        if (!isMissing(error, 'TargetGroupNotFoundException', 'TargetGroupNotFound')) throw error
        return [{ reason: 'TargetGroup', message: `A target group of the service is gone: ${error.said}` }]
      }
    },
  ]
}

function alarmChecks({ api, alarms, log }: PreflightOptions): readonly Check[] {
  if (alarms.length === 0) return []
  return [
    async () => {
      const { MetricAlarms = [], CompositeAlarms = [] } = await api.call('cloudwatch', 'DescribeAlarms', {
        AlarmNames: [...alarms],
        AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
      })
      const found = [...MetricAlarms, ...CompositeAlarms]
      for (const { AlarmName, StateValue } of found)
        if (StateValue === 'ALARM')
          log.warning(`The alarm ${AlarmName} is in ALARM already: ECS does not watch it in this deployment.`)
      return alarms
        .filter(name => !found.some(({ AlarmName }) => AlarmName === name))
        .map(name => ({ reason: 'NotFound', message: `There is no CloudWatch alarm ${foreignLine(name, 200)}` }))
    },
  ]
}
