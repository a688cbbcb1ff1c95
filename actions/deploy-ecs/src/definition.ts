// The inputs and outputs of deploy-ecs.
import {
  faultsOfStrategy,
  parseCapacityProvider,
  parseCluster,
  parseCommandOfContainer,
  parseImageOfContainer,
  parseRegion,
  parseService,
  parseSettingOfContainer,
  parseSize,
  parseTagEntry,
} from '../../../src/ecs/entries.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { closest } from '../../../src/runner/closest-name.ts'
import { boolean, choice, duration, InputFault, list, text } from '../../../src/runner/inputs.ts'

const inputs = {
  cluster: text({ required: true, parse: parseCluster }),
  service: list({ required: true, each: parseService }),
  'task-definition': text(),
  images: list({ each: parseImageOfContainer }),
  environment: list({ each: parseSettingOfContainer }),
  secrets: list({ each: parseSettingOfContainer }),
  'log-options': list({ each: parseSettingOfContainer }),
  command: list({ each: parseCommandOfContainer }),
  'run-before': list({ each: parseCommandOfContainer }),
  'run-after': list({ each: parseCommandOfContainer }),
  cpu: text({ parse: parseSize }),
  memory: text({ parse: parseSize }),
  tags: list({ each: parseTagEntry }),
  'desired-count': text({ parse: count(0, 5_000) }),
  'force-new-deployment': boolean({ default: 'false' }),
  'capacity-provider-strategy': list({ each: parseCapacityProvider }),
  'minimum-healthy-percent': text({ parse: count(0, 100) }),
  'maximum-percent': text({ parse: count(100, 200) }),
  strategy: text({ parse: parseStrategy }),
  steps: text({ parse: parseSteps }),
  'bake-time': text({ parse: parseBakeTime }),
  'codedeploy-application': text(),
  'codedeploy-deployment-group': text(),
  'circuit-breaker': choice(['keep', 'on', 'off'], { default: 'keep' }),
  alarms: list(),
  timeout: duration({ default: '15m', atLeast: '1s' }),
  'stable-for': duration({ default: '0s' }),
  'on-failure': choice(['rollback', 'keep'], { default: 'rollback' }),
  checks: text(),
  'on-inconclusive': choice(['fail', 'warn'], { default: 'fail' }),
  preflight: choice(['on', 'warn', 'off'], { default: 'on' }),
  'dry-run': boolean({ default: 'false' }),
  'aws-region': text({ parse: parseRegion }),
  'lock-timeout': duration({ default: '0s' }),
}

export type DeployOutput =
  | 'result'
  | 'reason'
  | 'message'
  | 'release'
  | 'previous-release'
  | 'task-definition-arn'
  | 'deployment-id'
  | 'digests'
  | 'diff'
  | 'summary'

export const definition: ActionDefinition<typeof inputs, DeployOutput> = {
  name: 'deploy-ecs',
  inputs,
  outputs: [
    'result',
    'reason',
    'message',
    'release',
    'previous-release',
    'task-definition-arn',
    'deployment-id',
    'digests',
    'diff',
    'summary',
  ],
  check: given => [
    ...(given['stable-for'] >= given.timeout ? ['stable-for: must be shorter than timeout'] : []),
    ...(new Set(given.service).size < given.service.length ? ['service: names a service twice'] : []),
    ...(given.service.length > 10 ? ['service: names more than 10 services, which is what ECS describes at once'] : []),
    ...faultsOfStrategy(given['capacity-provider-strategy']).map(fault => `capacity-provider-strategy: ${fault}`),
    ...(given.steps.length > 0 && given.strategy !== 'linear' && given.strategy !== 'canary'
      ? ['steps: are for strategy linear or canary']
      : []),
  ],
}

const STRATEGIES = ['rolling', 'blue-green', 'linear', 'canary', 'codedeploy'] as const

/** Empty: the service's own. */
function parseStrategy(raw: string): (typeof STRATEGIES)[number] | undefined {
  const strategy = STRATEGIES.find(known => known === raw)
  if (strategy !== undefined || raw === '') return strategy
  const near = closest(raw, STRATEGIES)
  throw new InputFault(`"${raw}" is none of ${STRATEGIES.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`)
}

/** A whole number; undefined where it is left as it is. */
function count(least: number, most: number): (raw: string) => number | undefined {
  return raw => {
    if (raw === '') return undefined
    const value = Number(raw)
    if (!/^\d+$/.test(raw) || value < least || value > most)
      throw new InputFault(`"${raw}" is no whole number from ${least} to ${most}`)
    return value
  }
}

/** Percents of the traffic, as deploy-k8s writes them: the first one counts, ECS makes the others. */
function parseSteps(raw: string): readonly number[] {
  if (raw === '') return []
  return raw.split(',').map(part => {
    const value = Number(part.trim())
    if (!/^\d+(\.\d)?$/.test(part.trim()) || value < 0.1 || value > 100)
      throw new InputFault(`"${part.trim()}" is no percentage from 0.1 to 100`)
    return value
  })
}

/** Whole minutes, which is what ECS takes; undefined where it is left as it is. */
function parseBakeTime(raw: string): number | undefined {
  if (raw === '') return undefined
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:0s)?$/.exec(raw)
  const minutes = Number(match?.[1] ?? 0) * 60 + Number(match?.[2] ?? 0)
  if (match === null || minutes > 1_440)
    throw new InputFault(`"${raw}" is no time in whole minutes up to 24h, such as 5m, which is what ECS takes`)
  return minutes
}
