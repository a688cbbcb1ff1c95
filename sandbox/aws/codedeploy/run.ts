// One CodeDeploy deployment of an ECS service: its lifecycle events one after the other, from the new task set to the end of the old one.
import { alarmsInAlarm } from '../cloudwatch/state.ts'
import { clusterOf, runnableTaskDefinition, serviceOf } from '../ecs/find.ts'
import { look } from '../ecs/scheduler.ts'
import { Ecs, type Service } from '../ecs/state.ts'
import { addTaskSet, makePrimary } from '../ecs/task-sets.ts'
import { Elb } from '../elb/state.ts'
import type { Region } from '../world.ts'
import { shiftsOf } from './app-spec.ts'
import { CodeDeploy, type CodeDeployment, hasEnded, type LifecycleEvent } from './state.ts'

/** CodeDeploy's own patience with a task set that does not become healthy, and with a function that does not answer: an hour each. */
const PATIENCE = 3600
const LOOK_AGAIN = 2

/** Those of a deployment to ECS; the ones for test traffic only where there is a listener for it. */
export function lifecycleOf(withTest: boolean): LifecycleEvent[] {
  const test = withTest ? ['AllowTestTraffic', 'AfterAllowTestTraffic'] : []
  const names = ['BeforeInstall', 'Install', 'AfterInstall', ...test, 'BeforeAllowTraffic', 'AllowTraffic', 'AfterAllowTraffic']
  return names.map(name => ({ name, status: 'Pending' }))
}

export class Run {
  readonly #region: Region
  readonly #one: CodeDeployment

  constructor(region: Region, one: CodeDeployment) {
    this.#region = region
    this.#one = one
  }

  get #ecs(): Ecs {
    return this.#region.part(Ecs)
  }

  get #pair() {
    return this.#one.group.fields.loadBalancerInfo?.targetGroupPairInfoList?.[0]
  }

  #service(): Service {
    const { clusterName, serviceName = '' } = this.#one.group.fields.ecsServices?.[0] ?? {}
    return serviceOf(this.#ecs, clusterOf(this.#ecs, clusterName), serviceName)
  }

  begin(): void {
    this.#later(this.#region.world.timing.lifecycleEvent, () => {
      this.#one.status = 'InProgress'
      this.#one.startedAt = this.#ecs.now()
      this.#watchAlarms()
      this.#next()
    })
  }

  /** Runs later, unless the deployment has ended by then. */
  #later(seconds: number, run: () => void): void {
    const { turn } = this.#one
    this.#region.world.after(seconds, () => {
      if (this.#one.turn === turn) run()
    })
  }

  #next(): void {
    const event = this.#one.events.find(one => one.status === 'Pending')
    if (event === undefined) {
      this.#terminate()
      return
    }
    event.status = 'InProgress'
    event.startedAt = this.#ecs.now()
    switch (event.name) {
      case 'Install':
        this.#install(event)
        return
      case 'AllowTestTraffic':
        this.#route(this.#pair?.testTrafficRoute?.listenerArns, 100)
        this.#soon(event)
        return
      case 'AllowTraffic':
        this.#ready(() => this.#shift(event, 0))
        return
      default:
        this.#invoke(event)
        return
    }
  }

  #soon(event: LifecycleEvent): void {
    this.#later(this.#region.world.timing.lifecycleEvent, () => this.#succeed(event))
  }

  #succeed(event: LifecycleEvent): void {
    event.status = 'Succeeded'
    event.endedAt = this.#ecs.now()
    this.#next()
  }

  /** A function of the AppSpec: what it answers is the scenario's to say, or PutLifecycleEventHookExecutionStatus's. */
  #invoke(event: LifecycleEvent): void {
    const name = this.#one.spec.hooks[event.name]
    if (name === undefined) {
      this.#soon(event)
      return
    }
    event.executionId = this.#region.world.ids.word(40)
    const answer = this.#region.world.scenario.hooks?.[name.split(':').at(-1) ?? name] ?? 'SUCCEEDED'
    this.#later(PATIENCE, () => this.answer(event, false, 'The lifecycle event hook did not answer in an hour.'))
    if (answer === 'IN_PROGRESS') return
    this.#later(this.#region.world.timing.lifecycleEvent, () =>
      this.answer(event, answer === 'SUCCEEDED', `The Lambda function ${name} returned Failed.`),
    )
  }

  /** The function has said how it went. */
  answer(event: LifecycleEvent, good: boolean, message: string): void {
    if (event.status !== 'InProgress') return
    if (good) {
      this.#succeed(event)
      return
    }
    Object.assign(event, { status: 'Failed', endedAt: this.#ecs.now(), message })
    this.fail('HOOK_EXECUTION_FAILURE', `The deployment failed because a validation hook failed: ${event.name}.`)
  }

  #install(event: LifecycleEvent): void {
    const service = this.#service()
    const { spec } = this.#one
    const elb = this.#region.part(Elb)
    const blue = service.taskSets.find(set => set.status === 'PRIMARY')
    const names = (this.#pair?.targetGroups ?? []).map(group => group.name)
    const arns = names.map(name => [...elb.targetGroups.values()].find(group => group.name === name)?.arn ?? '')
    const taken = blue?.deployment.targetGroups[0]
    const green = arns.find(arn => arn !== taken) ?? arns[0] ?? ''
    if (blue !== undefined) this.#one.blue = blue
    let definition: string
    try {
      definition = runnableTaskDefinition(this.#ecs, spec.taskDefinition).taskDefinitionArn
    } catch {
      this.fail('ECS_UPDATE_ERROR', 'The ECS service cannot be updated due to an unexpected error: TaskDefinition not found.')
      return
    }
    const loadBalancers = [{ targetGroupArn: green, containerName: spec.containerName, containerPort: spec.containerPort }]
    // The network is the service's. What else the AppSpec leaves out is CodeDeploy's own choice: no capacity providers, and the latest platform version.
    const { capacityProviderStrategy, platformVersion } = spec
    const before = service.fields.capacityProviderStrategy[0]?.capacityProvider
    const launchType = service.fields.launchType ?? (before?.startsWith('FARGATE') === true ? 'FARGATE' : 'EC2')
    const fields = {
      ...{ ...service.fields, taskDefinition: definition, loadBalancers, platformVersion, capacityProviderStrategy },
      launchType: capacityProviderStrategy.length > 0 ? undefined : launchType,
    }
    this.#one.green = addTaskSet(this.#ecs, service, {
      fields,
      startedBy: 'CODE_DEPLOY',
      externalId: this.#one.id,
      scale: 100,
      tags: [],
    })
    const until = this.#ecs.now() + PATIENCE
    const wait = (): void => {
      if (this.#one.green?.stableSince !== undefined) {
        this.#succeed(event)
        return
      }
      if (this.#ecs.now() >= until) {
        Object.assign(event, { status: 'Failed', endedAt: this.#ecs.now() })
        this.fail(
          'TIMEOUT',
          'The deployment timed out while waiting for the replacement task set to become healthy. This time out period is 60 minutes.',
        )
        return
      }
      this.#later(LOOK_AGAIN, wait)
    }
    this.#later(LOOK_AGAIN, wait)
  }

  /** Waits for somebody's word before production traffic goes over, where the group says so. */
  #ready(go: () => void): void {
    const { actionOnTimeout, waitTimeInMinutes = 0 } =
      this.#one.group.fields.blueGreenDeploymentConfiguration?.deploymentReadyOption ?? {}
    if (actionOnTimeout !== 'STOP_DEPLOYMENT') {
      go()
      return
    }
    this.#one.status = 'Ready'
    let gone = false
    this.#one.continueWith = () => {
      if (gone) return
      gone = true
      this.#one.status = 'InProgress'
      go()
    }
    this.#later(waitTimeInMinutes * 60, () => {
      if (!gone)
        this.stop(this.#one.autoRollback?.enabled === true, 'The deployment was stopped because it was not continued in time.')
    })
  }

  #shift(event: LifecycleEvent, step: number): void {
    const { percents, minutes } = shiftsOf(this.#one.configName)
    const percent = percents[step] ?? 100
    this.#one.weight = percent
    this.#route(this.#pair?.prodTrafficRoute?.listenerArns, percent)
    if (percent < 100) {
      this.#later(minutes * 60, () => this.#shift(event, step + 1))
      return
    }
    const { green } = this.#one
    if (green !== undefined) makePrimary(this.#ecs, this.#service(), green)
    this.#soon(event)
  }

  #route(listeners: readonly string[] | undefined, percent: number): void {
    const elb = this.#region.part(Elb)
    const green = this.#one.green?.deployment.targetGroups[0]
    const blue = this.#one.blue?.deployment.targetGroups[0]
    const weights = [
      ...(green === undefined ? [] : [{ arn: green, weight: percent }]),
      ...(blue === undefined || blue === green ? [] : [{ arn: blue, weight: 100 - percent }]),
    ]
    for (const listener of listeners ?? []) elb.shift(listener, weights)
  }

  #terminate(): void {
    const { action, terminationWaitTimeInMinutes = 0 } =
      this.#one.group.fields.blueGreenDeploymentConfiguration?.terminateBlueInstancesOnDeploymentSuccess ?? {}
    const done = (): void => {
      if (hasEnded(this.#one)) return
      if (action !== 'KEEP_ALIVE') this.#drop(this.#one.blue)
      this.#end('Succeeded')
    }
    this.#one.terminationWait = true
    this.#one.continueWith = done
    this.#later(terminationWaitTimeInMinutes * 60, done)
  }

  #drop(set: CodeDeployment['blue']): void {
    if (set === undefined) return
    set.status = 'DRAINING'
    look(this.#ecs, this.#service(), 0)
  }

  #watchAlarms(): void {
    const { enabled, alarms = [] } = this.#one.alarms ?? {}
    if (enabled !== true) return
    const names = alarms.map(alarm => alarm.name ?? '')
    this.#later(this.#region.world.timing.alarms, () => {
      const [found] = alarmsInAlarm(this.#region, names)
      if (found === undefined) return this.#watchAlarms()
      this.fail(
        'ALARM_ACTIVE',
        `One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: <${found}>`,
        'DEPLOYMENT_STOP_ON_ALARM',
      )
    })
  }

  fail(code: string, message: string, event = 'DEPLOYMENT_FAILURE'): void {
    this.#one.error = { code, message }
    this.#skipRest()
    this.#end('Failed')
    const { enabled, events = [] } = this.#one.autoRollback ?? {}
    if (enabled === true && events.includes(event)) this.#rollBack(message)
  }

  stop(withRollback: boolean, message = 'The deployment was stopped by a user.'): void {
    this.#one.error = { code: 'MANUAL_STOP', message }
    this.#skipRest()
    this.#end('Stopped')
    if (withRollback) this.#rollBack(message)
  }

  #skipRest(): void {
    for (const event of this.#one.events)
      if (event.status === 'Pending' || event.status === 'InProgress') event.status = 'Skipped'
  }

  #end(status: 'Succeeded' | 'Failed' | 'Stopped'): void {
    const one = this.#one
    one.status = status
    one.completedAt = this.#ecs.now()
    one.terminationWait = false
    one.turn += 1
  }

  /** A deployment of its own: traffic goes back to what it was, then the new task set ends. */
  #rollBack(message: string): void {
    const one = this.#one
    const { world } = this.#region
    const now = this.#ecs.now()
    const made: CodeDeployment = {
      ...{ group: one.group, configName: one.configName, revision: one.revision, spec: one.spec },
      ...{ autoRollback: undefined, alarms: undefined },
      id: `d-${world.ids.word(9).toUpperCase()}`,
      description: undefined,
      creator: 'codeDeployRollback',
      status: 'InProgress',
      createdAt: now,
      startedAt: now,
      rollback: { rollbackTriggeringDeploymentId: one.id },
      events: [{ name: 'AllowTraffic', status: 'InProgress', startedAt: now }],
      ...(one.green !== undefined && { blue: one.green }),
      ...(one.blue !== undefined && { green: one.blue }),
      weight: 100,
      terminationWait: false,
      turn: 0,
    }
    this.#region.part(CodeDeploy).deployments.set(made.id, made)
    one.rollback = { rollbackDeploymentId: made.id, rollbackMessage: message }
    this.#route(this.#pair?.prodTrafficRoute?.listenerArns, 0)
    this.#route(this.#pair?.testTrafficRoute?.listenerArns, 0)
    one.weight = 0
    if (one.blue !== undefined) makePrimary(this.#ecs, this.#service(), one.blue)
    world.after(world.timing.lifecycleEvent, () => {
      if (one.green !== undefined) this.#drop(one.green)
      for (const event of made.events) Object.assign(event, { status: 'Succeeded', endedAt: this.#ecs.now() })
      Object.assign(made, { status: 'Succeeded', completedAt: this.#ecs.now() })
    })
  }
}
