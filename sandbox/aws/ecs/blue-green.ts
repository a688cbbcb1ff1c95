// ECS's own blue-green, linear and canary deployments: the stages of a service deployment, with lifecycle hooks, traffic weights and bake time.
import { Elb } from '../elb/state.ts'
import { AwsError } from '../protocol/errors.ts'
import { isHealthy } from './health.ts'
import { concluded, currentServiceDeployment, end, rollBack } from './rollout.ts'
import { live, look, roll, say, startTasks, stopTasks } from './scheduler.ts'
import type { Deployment, Ecs, Hook, Service, ServiceDeployment } from './state.ts'
import { events } from './words.ts'

/** In order. RECONCILE_SERVICE is only there where another deployment had not ended. */
const STAGES = [
  'RECONCILE_SERVICE',
  'PRE_SCALE_UP',
  'SCALE_UP',
  'POST_SCALE_UP',
  'TEST_TRAFFIC_SHIFT',
  'POST_TEST_TRAFFIC_SHIFT',
  'PRE_PRODUCTION_TRAFFIC_SHIFT',
  'PRODUCTION_TRAFFIC_SHIFT',
  'POST_PRODUCTION_TRAFFIC_SHIFT',
  'BAKE_TIME',
  'CLEAN_UP',
] as const
type Stage = (typeof STAGES)[number]

/** A day, unless the hook says otherwise. */
const HOOK_TIMEOUT_MINUTES = 1440
const STEP_DEFAULTS = { percent: 10, minutes: 6, canaryPercent: 5, canaryMinutes: 10 }

export const isShifting = (service: Service): boolean => (service.configuration.strategy ?? 'ROLLING') !== 'ROLLING'

/** Percent of the traffic after each shift, and the minutes that are waited after each but the last. */
export function shiftsOf({ strategy, linearConfiguration, canaryConfiguration }: ServiceDeployment['configuration']): {
  percents: number[]
  minutes: number
} {
  if (strategy === 'CANARY') {
    const { canaryPercent = STEP_DEFAULTS.canaryPercent, canaryBakeTimeInMinutes = STEP_DEFAULTS.canaryMinutes } =
      canaryConfiguration ?? {}
    return { percents: [canaryPercent, 100], minutes: canaryBakeTimeInMinutes }
  }
  if (strategy === 'LINEAR') {
    const { stepPercent = STEP_DEFAULTS.percent, stepBakeTimeInMinutes = STEP_DEFAULTS.minutes } = linearConfiguration ?? {}
    const steps = Math.ceil(100 / stepPercent)
    return {
      percents: Array.from({ length: steps }, (_, index) => Math.min(100, (index + 1) * stepPercent)),
      minutes: stepBakeTimeInMinutes,
    }
  }
  return { percents: [100], minutes: 0 }
}

export class BlueGreen {
  readonly #ecs: Ecs
  readonly #service: Service

  constructor(ecs: Ecs, service: Service) {
    this.#ecs = ecs
    this.#service = service
  }

  /** Goes on as far as it can now; looks again when time alone is waited for. */
  step(): void {
    const one = currentServiceDeployment(this.#service)
    const [primary] = this.#service.deployments
    if (primary === undefined) return
    if (one === undefined) {
      // A stopped or failed first deployment starts nothing; one whose service deployment is not there yet waits for it.
      if (primary.rolloutState === 'COMPLETED') roll(this.#ecs, this.#service, primary)
      return
    }
    if (one.status === 'ROLLBACK_REQUESTED') return
    if (one.rollback !== undefined) {
      this.#backward(one, primary)
      return
    }
    if (primary !== one.deployment) return
    if (one.stage === undefined) this.#enter(one, one.sources.length > 1 ? 'RECONCILE_SERVICE' : 'PRE_SCALE_UP')
    this.#keepTasks(one, primary)
    while (!one.finishedAt && one.rollback === undefined && this.#done(one, primary)) {
      const next = STAGES[STAGES.indexOf(one.stage as Stage) + 1]
      if (next === undefined) break
      this.#enter(one, next)
      this.#keepTasks(one, primary)
    }
  }

  #at(one: ServiceDeployment, stage: Stage): boolean {
    return STAGES.indexOf((one.stage ?? 'RECONCILE_SERVICE') as Stage) >= STAGES.indexOf(stage)
  }

  /** Both colours at full count: green from SCALE_UP on, blue until CLEAN_UP. */
  #keepTasks(one: ServiceDeployment, primary: Deployment): void {
    const { desired } = this.#service
    primary.desired = this.#at(one, 'SCALE_UP') ? desired : 0
    this.#fill(primary)
    for (const old of this.#service.deployments.slice(1)) {
      if (this.#at(one, 'CLEAN_UP')) {
        old.desired = 0
        stopTasks(this.#ecs, this.#service, old, live(this.#ecs, old))
      } else if (old.everCompleted) {
        old.desired = desired
        this.#fill(old)
      }
    }
  }

  #fill(deployment: Deployment): void {
    const tasks = live(this.#ecs, deployment)
    if (tasks.length < deployment.desired) startTasks(this.#ecs, this.#service, deployment, deployment.desired - tasks.length)
    if (tasks.length > deployment.desired) stopTasks(this.#ecs, this.#service, deployment, tasks.slice(deployment.desired))
  }

  #enter(one: ServiceDeployment, stage: Stage): void {
    const { ids, timing } = this.#ecs.region.world
    const now = this.#ecs.now()
    Object.assign(one, { stage, stageSince: now, updatedAt: now })
    one.weights ??= { production: 0, test: 0 }
    if (stage === 'TEST_TRAFFIC_SHIFT') this.#shiftTest(one)
    if (stage === 'PRODUCTION_TRAFFIC_SHIFT') one.shifted = 0
    for (const hook of one.configuration.lifecycleHooks ?? []) {
      if (!hook.lifecycleStages?.some(name => name === stage)) continue
      const { timeoutInMinutes = HOOK_TIMEOUT_MINUTES, action = 'ROLLBACK' } = hook.timeoutConfiguration ?? {}
      const targetType = hook.targetType ?? 'AWS_LAMBDA'
      const made: Hook = {
        ...{ id: ids.uuid(), stage, targetType, targetArn: hook.hookTargetArn },
        status: targetType === 'PAUSE' ? 'AWAITING_ACTION' : 'IN_PROGRESS',
        expiresAt: now + timeoutInMinutes * 60,
        timeoutAction: action,
      }
      one.hooks.push(made)
      this.#ecs.region.world.after(timeoutInMinutes * 60, () => this.#expired(one, made))
      if (targetType === 'AWS_LAMBDA') this.#ecs.region.world.after(timing.stage, () => this.#invoked(one, made))
    }
    look(this.#ecs, this.#service, timing.stage)
  }

  /** What a function answers is the scenario's to say; SUCCEEDED otherwise. */
  #invoked(one: ServiceDeployment, hook: Hook): void {
    const { hooks = {} } = this.#ecs.region.world.scenario
    const answer = hooks[hook.targetArn?.split(':').at(-1) ?? ''] ?? 'SUCCEEDED'
    if (hook.status !== 'IN_PROGRESS' || answer === 'IN_PROGRESS') return
    hook.status = answer
    if (answer === 'FAILED') {
      const said = `${hook.stage} lifecycle hook(s) failed. Lifecycle hook target ${hook.targetArn} returned FAILED status.`
      failShift(this.#ecs, this.#service, one, said)
    }
    look(this.#ecs, this.#service, 0)
  }

  #expired(one: ServiceDeployment, hook: Hook): void {
    if (one.finishedAt !== undefined || one.rollback !== undefined || !one.hooks.includes(hook)) return
    if (hook.status !== 'AWAITING_ACTION' && hook.status !== 'IN_PROGRESS') return
    hook.status = 'TIMED_OUT'
    if (hook.timeoutAction === 'ROLLBACK') failShift(this.#ecs, this.#service, one, `${hook.stage} lifecycle hook(s) timed out.`)
    look(this.#ecs, this.#service, 0)
  }

  #done(one: ServiceDeployment, primary: Deployment): boolean {
    const { timing } = this.#ecs.region.world
    const stage = one.stage as Stage
    const hooks = one.hooks.filter(hook => hook.stage === stage)
    const passed = (hook: Hook): boolean =>
      hook.status === 'SUCCEEDED' || (hook.status === 'TIMED_OUT' && hook.timeoutAction === 'CONTINUE')
    const since = this.#ecs.now() - (one.stageSince ?? 0)
    if (!hooks.every(passed)) return false
    // Stages that only hooks make worth a stop.
    if (stage === 'PRE_PRODUCTION_TRAFFIC_SHIFT' && hooks.length === 0) return true
    if (since + 1e-6 < timing.stage) return this.#again(timing.stage - since)
    if (stage === 'SCALE_UP') {
      const tasks = live(this.#ecs, primary)
      return tasks.length === this.#service.desired && tasks.every(task => isHealthy(this.#ecs, task))
    }
    if (stage === 'PRODUCTION_TRAFFIC_SHIFT') return this.#shifted(one)
    if (stage === 'BAKE_TIME') {
      const left = (one.configuration.bakeTimeInMinutes ?? 0) * 60 - since
      return left <= 1e-6 || this.#again(left)
    }
    if (stage === 'CLEAN_UP') return this.#cleanedUp(primary)
    return true
  }

  #again(seconds: number): false {
    this.#ecs.region.world.after(seconds, () => look(this.#ecs, this.#service, 0))
    return false
  }

  #shiftTest(one: ServiceDeployment): void {
    one.weights = { production: 0, test: 100 }
    this.#rules(one, 'testListenerRule', 100)
  }

  /** Shifts what is due; true when all of it is. */
  #shifted(one: ServiceDeployment): boolean {
    const { percents, minutes } = shiftsOf(one.configuration)
    const done = one.shifted ?? 0
    const due = (one.stageSince ?? 0) + done * minutes * 60
    if (this.#ecs.now() + 1e-6 < due) return this.#again(due - this.#ecs.now())
    const percent = percents[done]
    if (percent === undefined) return true
    one.shifted = done + 1
    one.weights = { production: percent, test: one.weights?.test ?? 100 }
    one.updatedAt = this.#ecs.now()
    this.#rules(one, 'productionListenerRule', percent)
    return one.shifted >= percents.length || this.#shifted(one)
  }

  /** Sets what the listeners' rules send to the target revision. */
  #rules(one: ServiceDeployment, which: 'productionListenerRule' | 'testListenerRule', percent: number): void {
    const elb = this.#ecs.region.part(Elb)
    one.deployment.revision.loadBalancers.forEach(({ targetGroupArn = '', advancedConfiguration }, index) => {
      const rule = advancedConfiguration?.[which]
      const other = advancedConfiguration?.alternateTargetGroupArn
      const green = one.deployment.targetGroups[index] ?? targetGroupArn
      if (rule === undefined || other === undefined) return
      const blue = green === targetGroupArn ? other : targetGroupArn
      elb.shift(rule, [
        { arn: green, weight: percent },
        { arn: blue, weight: 100 - percent },
      ])
    })
  }

  #cleanedUp(primary: Deployment): boolean {
    const left = this.#service.deployments.slice(1).filter(old => this.#ecs.tasksOf(old).some(task => task.status !== 'STOPPED'))
    if (left.length > 0) return false
    this.#service.deployments = [primary]
    concluded(this.#ecs, this.#service, primary)
    return true
  }

  #backward(one: ServiceDeployment, primary: Deployment): void {
    if (one.weights !== undefined && (one.weights.production > 0 || one.weights.test > 0)) {
      one.weights = { production: 0, test: 0 }
      this.#rules(one, 'productionListenerRule', 0)
      this.#rules(one, 'testListenerRule', 0)
    }
    primary.desired = this.#service.desired
    this.#fill(primary)
    const tasks = live(this.#ecs, primary)
    // Blue first: nothing of green goes before it could serve all.
    if (tasks.length < primary.desired || !tasks.every(task => isHealthy(this.#ecs, task))) return
    for (const old of this.#service.deployments.slice(1)) stopTasks(this.#ecs, this.#service, old, live(this.#ecs, old))
    this.#cleanedUp(primary)
  }
}

/** A hook said no, or said nothing in time. */
function failShift(ecs: Ecs, service: Service, one: ServiceDeployment, said: string): void {
  const reason = `Service deployment rolled back because ${said}`
  Object.assign(one.deployment, { rolloutState: 'FAILED', rolloutStateReason: reason, updatedAt: ecs.now() })
  say(ecs, service, events.failed(service.name, one.deployment.id, reason))
  if (!rollBack(ecs, service, one, reason, 'hook')) end(ecs, one, 'STOPPED', reason)
}

/** @throws AwsError where no such hook waits */
export function answerHook(
  ecs: Ecs,
  service: Service,
  one: ServiceDeployment,
  id: string,
  action: 'CONTINUE' | 'ROLLBACK',
): void {
  const hook = one.hooks.find(other => other.id === id)
  if (hook === undefined) throw new AwsError('InvalidParameterException', `The lifecycle hook ${id} was not found.`)
  if (hook.status !== 'AWAITING_ACTION')
    throw new AwsError('InvalidParameterException', `The lifecycle hook ${id} is not awaiting an action.`)
  if (action === 'CONTINUE') hook.status = 'SUCCEEDED'
  else {
    hook.status = 'FAILED'
    failShift(ecs, service, one, `${hook.stage} lifecycle hook(s) failed.`)
  }
  look(ecs, service, 0)
}
