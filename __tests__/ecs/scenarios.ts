// What happens in deployments to ECS, and what is to come of it. Half of them are to go well.
import type { Seed } from '../../sandbox/aws/seed.ts'
import type { Play, Stage } from './stage.ts'

export interface ScenarioRow {
  readonly name: string
  readonly seed?: Seed
  /** What is there before the deployment begins. */
  readonly scene?: Parameters<Stage['aws']['scenario']>[0]
  readonly before?: (stage: Stage) => Promise<void> | void
  readonly play?: Play | ((stage: Stage) => Play)
  readonly result: 'deployed' | 'unchanged' | 'rolled-back' | 'failed' | 'cancelled' | 'refused'
  readonly reason?: string
  readonly message: RegExp
  /** What serves at the end; `web:2` where it went well and `web:1` where it did not, unless given. */
  readonly live?: string
  /** Seconds it may take; 60 unless given. */
  readonly within?: number
}

const loadBalancer: Seed = { loadBalancer: true, with: { healthCheckGracePeriodSeconds: 0 } }
const breaker: Seed = { with: { deploymentConfiguration: { deploymentCircuitBreaker: { enable: true, rollback: true } } } }
const crash = { 'web:2': { exit: { code: 3, after: 2 }, log: ['connecting', 'no DATABASE_URL'] } }

/** An update by somebody else, of the count or to another revision. */
const elsewhere = (stage: Stage, input: object): void =>
  void stage.aws.call('ecs:UpdateService', { cluster: stage.seeded.cluster, service: stage.seeded.service, ...input })

const settings = { forceNewDeployment: false, circuitBreaker: 'keep' as const, alarms: [] }

export const GOOD: readonly ScenarioRow[] = [
  { name: 'a good release', result: 'deployed', message: /^Deployed: service\/web 2\/2 ready\.$/, within: 25 },
  { name: 'a good release behind a load balancer', seed: loadBalancer, result: 'deployed', message: /2\/2 ready/ },
  { name: 'with the breaker on', seed: breaker, result: 'deployed', message: /2\/2 ready/ },
  {
    name: 'slow to start, within its grace period',
    seed: { loadBalancer: true, with: { healthCheckGracePeriodSeconds: 60 } },
    scene: { images: { 'web:2': { starts: 30 } } },
    result: 'deployed',
    message: /2\/2 ready/,
    within: 90,
  },
  {
    name: 'one crash that heals',
    seed: { desiredCount: 1 },
    scene: { images: { 'web:2': [{ exit: { code: 1, after: 2 } }, {}] } },
    result: 'deployed',
    message: /1\/1 ready/,
  },
  {
    name: 'two of ten that crash once',
    seed: { desiredCount: 10 },
    scene: { images: { 'web:2': [{ exit: { code: 1, after: 2 } }, { exit: { code: 1, after: 4 } }, {}] } },
    result: 'deployed',
    message: /10\/10 ready/,
  },
  {
    name: 'one pull that times out',
    seed: { desiredCount: 1 },
    scene: { images: { 'web:2': [{ pull: 'timeout' }, {}] } },
    result: 'deployed',
    message: /1\/1 ready/,
  },
  {
    name: 'a Spot interruption',
    scene: { events: [] },
    play: { scenario: { events: [{ at: 9, interrupt: 'web' }] } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  {
    name: 'an instance that goes',
    play: { scenario: { events: [{ at: 9, stop: 'web', reason: 'Host EC2 (instance i-1) terminated.' }] } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  {
    name: 'no room, but not for long',
    play: { scenario: { capacity: { tasks: 2, until: 40 } } },
    result: 'deployed',
    message: /2\/2 ready/,
    within: 120,
  },
  {
    name: 'scaled out by somebody meanwhile',
    play: stage => ({ during: at => at(5, () => elsewhere(stage, { desiredCount: 3 })) }),
    result: 'deployed',
    message: /3\/3 ready/,
  },
  {
    name: 'scaled in by somebody meanwhile',
    seed: { desiredCount: 3 },
    play: stage => ({ during: at => at(9, () => elsewhere(stage, { desiredCount: 2 })) }),
    result: 'deployed',
    message: /2\/2 ready/,
  },
  {
    name: 'old tasks that are slow to stop',
    scene: { images: { 'web:1': { stops: 25 } } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  {
    name: '30 % of all calls throttled',
    play: { scenario: { faults: [{ action: '*', error: 'ThrottlingException', rate: 0.3 }] } },
    result: 'deployed',
    message: /2\/2 ready/,
    within: 90,
  },
  {
    name: 'the endpoint away for 20 s',
    play: { scenario: { faults: [{ action: '*', error: 'connection', from: 4, until: 24 }] } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  {
    name: 'two polls of which nothing is heard',
    play: { scenario: { faults: [{ action: 'ecs:DescribeServices', error: 'hang', from: 4, times: 2 }] } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  { name: 'describes that are 4 s behind', play: { scenario: { stale: 4 } }, result: 'deployed', message: /2\/2 ready/ },
  {
    name: 'nothing to change',
    play: { tag: '1' },
    result: 'unchanged',
    message: /live already and healthy/,
    live: 'web:1',
    within: 5,
  },
  {
    name: 'the same revision, forced',
    play: { tag: '1', target: { settings: { ...settings, forceNewDeployment: true } } },
    result: 'deployed',
    message: /2\/2 ready/,
    live: 'web:1',
  },
  {
    name: 'only the count',
    play: { tag: '1', target: { settings: { ...settings, desiredCount: 4 } } },
    result: 'deployed',
    message: /4\/4 ready/,
    live: 'web:1',
  },
  ...(['unchanged', 'deployed'] as const).map(
    (result): ScenarioRow => ({
      name: `${result === 'unchanged' ? 'nothing to change' : 'only the count and the breaker'}, after a release that ECS has put back`,
      scene: { images: crash },
      before: async stage => void (await stage.deploy({ tag: '2' })),
      play: {
        tag: '1',
        ...(result === 'unchanged' ? {} : { target: { settings: { ...settings, desiredCount: 3, circuitBreaker: 'on' } } }),
      },
      result,
      message: result === 'unchanged' ? /live already and healthy/ : /3\/3 ready/,
      live: 'web:1',
    }),
  ),
  {
    name: 'the breaker switched on with the release',
    play: { target: { settings: { ...settings, circuitBreaker: 'on' } } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  {
    name: 'a side container that ends',
    scene: { containers: { init: { exit: { code: 0, after: 1 } } } },
    seed: { tags: ['1'] },
    result: 'deployed',
    message: /2\/2 ready/,
  },
  { name: 'no tasks wanted', seed: { desiredCount: 0 }, result: 'deployed', message: /0\/0 ready/ },
  {
    name: 'an alarm that stays calm',
    before: stage => void alarm(stage),
    play: { target: { settings: { ...settings, alarms: ['errors'] } } },
    result: 'deployed',
    message: /2\/2 ready/,
  },
]

export const BAD: readonly ScenarioRow[] = [
  {
    name: 'an image that is not in ECR',
    play: { tag: '9' },
    result: 'refused',
    reason: 'CannotPullContainerError',
    message: /^The image .*web:9 is not in Amazon ECR: push it first\. Nothing was changed\.$/,
    within: 2,
  },
  {
    name: 'an image that is not there, unseen',
    scene: { images: { 'web:2': { pull: 'not found' } } },
    result: 'rolled-back',
    reason: 'CannotPullContainerError',
    message: /web:2: not found.*ecs:\/\/app\/web\/web:1 was put back and is healthy\.$/,
    within: 30,
  },
  {
    name: 'an image that may not be pulled',
    scene: { images: { 'web:2': { pull: 'no access' } } },
    result: 'rolled-back',
    reason: 'CannotPullContainerError',
    message: /put back/,
    within: 30,
  },
  {
    name: 'a registry out of reach',
    scene: { images: { 'web:2': { pull: 'timeout' } } },
    result: 'rolled-back',
    reason: 'CannotPullContainerError',
    message: /\(2 tasks\)/,
  },
  {
    name: 'a secret that is missing',
    scene: {
      images: {
        'web:2': {
          init: "unable to pull secrets or registry auth: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        },
      },
    },
    result: 'rolled-back',
    reason: 'ResourceInitializationError',
    message: /can't find the specified secret/,
    within: 30,
  },
  {
    name: 'a program that is not in the image',
    scene: { images: { 'web:2': { start: 'exec: "/srv": stat /srv: no such file or directory: unknown' } } },
    result: 'rolled-back',
    reason: 'CannotStartContainerError',
    message: /no such file or directory/,
    within: 30,
  },
  {
    name: 'a crash at the start, no breaker',
    scene: { images: crash },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message:
      /container web ended with exit code 3 \(2 tasks\)\. Its log ends with "no DATABASE_URL"\. ecs:\/\/app\/web\/web:1 was put back and is healthy\.$/,
    within: 35,
  },
  {
    name: 'a crash beside more tasks than one call describes',
    seed: { ...loadBalancer, desiredCount: 104 },
    scene: { images: { 'web:2': [{}, crash['web:2']] } },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message: /exit code 3/,
  },
  {
    name: 'a crash at the start of a single task',
    seed: { desiredCount: 1 },
    scene: { images: crash },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message: /exit code 3/,
  },
  {
    name: 'a crash with the breaker on',
    seed: breaker,
    scene: { images: crash },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message: /exit code 3/,
  },
  {
    name: 'a program that ends with 0',
    scene: { images: { 'web:2': { exit: { code: 0, after: 2 } } } },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message: /exit code 0/,
  },
  {
    name: 'too little memory',
    scene: { images: { 'web:2': { oom: 3 } } },
    result: 'rolled-back',
    reason: 'OutOfMemoryError',
    message: /container web ran out of memory \(exit code 137\)/,
  },
  {
    name: 'a container health check that fails',
    seed: { container: { healthCheck: { command: ['CMD', 'true'], interval: 5, retries: 2, timeout: 2 } } },
    scene: { images: { 'web:2': { health: 'unhealthy' } } },
    result: 'rolled-back',
    reason: 'Unhealthy',
    message: /failed container health checks/,
    within: 90,
  },
  {
    name: 'a target that answers 503',
    seed: loadBalancer,
    scene: { images: { 'web:2': { target: 503 } } },
    result: 'rolled-back',
    reason: 'UnhealthyTarget',
    message: /503|health checks/,
    within: 90,
  },
  {
    name: 'a target that refuses',
    seed: loadBalancer,
    scene: { images: { 'web:2': { target: 'refused' } } },
    result: 'rolled-back',
    reason: 'UnhealthyTarget',
    message: /health checks|unhealthy/,
    within: 90,
  },
  {
    name: 'no room for good',
    play: { scenario: { capacity: { tasks: 2 } } },
    result: 'rolled-back',
    reason: 'UnableToPlaceTask',
    message: /unable to place a task/,
    within: 150,
  },
  {
    name: 'an alarm that goes off',
    before: stage => void alarm(stage),
    play: {
      target: { settings: { ...settings, alarms: ['errors'], bakeTimeMinutes: 1 } },
      scenario: { events: [{ at: 9, alarm: 'errors', state: 'ALARM' }] },
    },
    result: 'rolled-back',
    reason: 'AlarmTriggered',
    message: /alarm errors went off/,
    within: 90,
  },
  {
    name: 'another deployment over it',
    before: stage => void stage.push('3'),
    play: stage => ({ during: at => at(6, () => elsewhere(stage, { taskDefinition: register(stage, '3') })) }),
    result: 'failed',
    reason: 'Superseded',
    message:
      /another deployment \(web:3, registered by .*\) took the place of this one\. Nothing was put back: what is live now is the other deployment\.$/,
    live: 'web:3',
  },
  {
    name: 'another deployment over what only changed the count',
    before: stage => void stage.push('3'),
    play: stage => ({
      tag: '1',
      target: { settings: { ...settings, desiredCount: 4 } },
      during: at => at(5, () => elsewhere(stage, { taskDefinition: register(stage, '3') })),
    }),
    scene: { timing: { provisioning: 10 } },
    result: 'failed',
    reason: 'Superseded',
    message: /another deployment \(web:2, registered by .*\) took the place of this one\. Nothing was put back/,
    live: 'web:2',
    within: 20,
  },
  {
    name: 'a count that finds no room, while somebody deploys the same revision again',
    play: stage => ({
      tag: '1',
      target: { settings: { ...settings, desiredCount: 4 } },
      scenario: { capacity: { tasks: 2 } },
      during: at => at(6, () => elsewhere(stage, { forceNewDeployment: true })),
    }),
    result: 'failed',
    reason: 'UnableToPlaceTask',
    message: /Nothing was put back/,
    within: 150,
  },
  {
    name: 'a count that finds no room',
    play: {
      tag: '1',
      target: { settings: { ...settings, desiredCount: 4 } },
      scenario: { capacity: { tasks: 2 } },
    },
    result: 'rolled-back',
    reason: 'UnableToPlaceTask',
    message: /web:1 was put back and is healthy\.$/,
    within: 150,
  },
  {
    name: 'a digest that is not the one pushed',
    scene: { images: { 'web:2': { digest: `sha256:${'0'.repeat(64)}` } } },
    result: 'rolled-back',
    reason: 'DigestMismatch',
    message: /runs sha256:0+, and not sha256:/,
  },
  {
    name: 'a rollback that somebody else asks for',
    play: stage => ({ during: at => at(8, () => stopElsewhere(stage)) }),
    result: 'rolled-back',
    reason: 'RolledBack',
    message: /put back and is healthy/,
  },
  {
    name: 'a bad release that is kept',
    scene: { images: crash },
    play: { options: { onFailure: 'keep' } },
    result: 'failed',
    reason: 'EssentialContainerExited',
    message: /left as it is, for on-failure is "keep"/,
    live: 'web:2',
  },
  {
    name: 'an old version that does not come up either',
    scene: { images: { ...crash, 'web:1': [{}, {}, { exit: { code: 1, after: 1 } }] } },
    play: stage => ({ during: at => at(9, () => kill(stage, 'web:1')) }),
    result: 'failed',
    reason: 'EssentialContainerExited',
    message: /put back, BUT IT IS NOT HEALTHY/,
    live: 'web:1',
    within: 120,
  },
  {
    name: 'a time that runs out',
    scene: { images: { 'web:2': { pullTakes: 600 } } },
    play: { options: { timeoutMs: 30_000 } },
    result: 'rolled-back',
    reason: 'Timeout',
    message: /The timeout of 30 s is over/,
    within: 75,
  },
  {
    name: 'a time that runs out while nothing is heard',
    scene: { images: { 'web:2': { pullTakes: 600 } } },
    play: {
      options: { timeoutMs: 30_000 },
      scenario: { faults: [{ action: 'ecs:ListTasks', error: 'hang', from: 24, times: 1 }] },
    },
    result: 'rolled-back',
    reason: 'Timeout',
    message: /The timeout of 30 s is over.*put back and is healthy/,
    within: 42,
  },
  {
    name: 'a cancel in the middle',
    play: { cancelAt: 6 },
    result: 'cancelled',
    reason: 'Cancelled',
    message: /put back and is healthy/,
    within: 45,
  },
  {
    name: 'a cancel before the change',
    play: { cancelAt: 0 },
    result: 'refused',
    reason: 'Cancelled',
    message: /Cancelled/,
    within: 2,
  },
  {
    name: 'credentials that expire',
    play: { scenario: { faults: [{ action: '*', error: 'ExpiredTokenException', from: 4 }] } },
    result: 'failed',
    reason: 'Unauthorized',
    message: /credentials have expired/,
    live: 'web:2',
  },
  {
    name: 'a stop that is not allowed',
    scene: { images: crash },
    play: { scenario: { faults: [{ action: 'ecs:StopServiceDeployment', error: 'AccessDeniedException' }] } },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message: /put back and is healthy/,
  },
  {
    name: 'a service that is deleted meanwhile',
    play: stage => ({
      during: at => at(6, () => void stage.aws.call('ecs:DeleteService', { cluster: 'app', service: 'web', force: true })),
    }),
    result: 'failed',
    reason: 'NotFound',
    message: /somebody else has deleted it/,
    live: '',
  },
  {
    name: 'a bad release while 30 % of all calls are throttled',
    scene: { images: crash },
    play: { scenario: { faults: [{ action: '*', error: 'ThrottlingException', rate: 0.3 }] } },
    result: 'rolled-back',
    reason: 'EssentialContainerExited',
    message: /exit code 3/,
    within: 90,
  },
]

function alarm({ aws }: Stage): void {
  aws.call('cloudwatch:PutMetricAlarm', {
    AlarmName: 'errors',
    ComparisonOperator: 'GreaterThanThreshold',
    EvaluationPeriods: 1,
    MetricName: 'errors',
    Namespace: 'web',
    Period: 60,
    Statistic: 'Sum',
    Threshold: 1,
  })
  aws.call('cloudwatch:SetAlarmState', { AlarmName: 'errors', StateValue: 'OK', StateReason: 'calm' })
}

/** A revision that somebody else registers. */
function register({ aws, seeded }: Stage, tag: string): string {
  const { taskDefinition } = aws.call('ecs:DescribeTaskDefinition', { taskDefinition: seeded.taskDefinition }) as {
    taskDefinition: { family: string; containerDefinitions: object[] } & Record<string, unknown>
  }
  const { family, networkMode, requiresCompatibilities, cpu, memory, executionRoleArn, containerDefinitions } = taskDefinition
  const containers = containerDefinitions.map(container => ({ ...container, image: `${seeded.repository}:${tag}` }))
  const made = aws.call('ecs:RegisterTaskDefinition', {
    family,
    networkMode,
    requiresCompatibilities,
    cpu,
    memory,
    executionRoleArn,
    containerDefinitions: containers,
  })
  return (made['taskDefinition'] as { taskDefinitionArn: string }).taskDefinitionArn
}

function stopElsewhere({ aws, seeded }: Stage): void {
  const { services } = aws.call('ecs:DescribeServices', { cluster: seeded.cluster, services: [seeded.service] }) as {
    services: { currentServiceDeployment: string }[]
  }
  aws.call('ecs:StopServiceDeployment', { serviceDeploymentArn: services[0]?.currentServiceDeployment, stopType: 'ROLLBACK' })
}

/** Stops the tasks of a revision, so that they have to start again. */
function kill({ aws, seeded }: Stage, revision: string): void {
  const { cluster, service: serviceName } = seeded
  const { taskArns } = aws.call('ecs:ListTasks', { cluster, serviceName }) as { taskArns: string[] }
  const { tasks } = aws.call('ecs:DescribeTasks', { cluster, tasks: taskArns }) as {
    tasks: { taskArn: string; taskDefinitionArn: string }[]
  }
  for (const { taskArn, taskDefinitionArn } of tasks)
    if (taskDefinitionArn.endsWith(revision)) aws.call('ecs:StopTask', { cluster, task: taskArn })
}
