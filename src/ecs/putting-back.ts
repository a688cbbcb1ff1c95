// Putting one service back: by ECS's own rollback where it is still at it, by CodeDeploy's, or by a deployment of the old revision.
import type { Service } from '@aws-sdk/client-ecs'
import type { Clock } from '../deploy/clock.ts'
import type { Pause } from '../deploy/verdict.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import {
  type ActiveCodeDeployment,
  activeCodeDeployment,
  type CodeDeployNames,
  codeDeploymentEnds,
  codeDeployRollsBack,
  createCodeDeployment,
  endTerminationWait,
  isCodeDeploys,
  readCodeDeployment,
  stopCodeDeployment,
} from './code-deploy.ts'
import { expectOf } from './expectation.ts'
import { isRollingBack, pausesOf, primaryOf } from './judge/service-deployment.ts'
import { revisionOf } from './judge/snapshot.ts'
import { type Revision, readServices } from './live-service.ts'
import type { Passage } from './passage.ts'
import type { ServiceLock } from './service-lock.ts'
import type { ServiceWatch } from './service-watch.ts'
import { codeDeployWaitsMs } from './shift-waits.ts'

export interface CodeDeployContext {
  readonly api: AwsApi
  readonly cluster: string
  readonly clock: Clock
  readonly codeDeploy: CodeDeployNames
  readonly watch: ServiceWatch
  readonly log: Pick<Log, 'info'>
  readonly cancelled: AbortSignal
}

export interface PuttingBackOptions extends CodeDeployContext {
  readonly lock: ServiceLock
}

const BY_STOP = "by stopping the deployment with ECS's rollback"
const BY_ITSELF = "by ECS's own rollback"

/** Has CodeDeploy put the revision in the service's place, and tells the watch. @throws ExpectedFailure, AwsFailure */
export async function deployByCodeDeploy(
  context: CodeDeployContext,
  passage: Passage,
  revision: Revision,
  service: Service,
  puttingBack = false,
): Promise<void> {
  const { clock, watch } = context
  const since = clock.now()
  const { touched } = passage
  passage.touched = true
  try {
    const begun = await begin(context, passage.name, revision, service, puttingBack)
    if (begun === undefined) {
      passage.codeDeployment = ''
      return expectOf(watch, passage, revision, service, since, '', { rollsBack: true, digests: {} })
    }
    passage.codeDeployment = begun
  } catch (error) {
    // Without an answer it may have been begun; what was refused has changed nothing.
    if (error instanceof ExpectedFailure && error.reason !== 'Unreachable' && error.reason !== 'Unauthorized')
      passage.touched = touched
    throw error
  }
  const waitsMs = await readWaits(context, passage.codeDeployment)
  const more = { codeDeployment: passage.codeDeployment, waitsMs, ...(puttingBack ? { digests: {} } : {}) }
  expectOf(watch, passage, revision, service, since, '', more)
}

async function readWaits({ api, log }: CodeDeployContext, id: string): Promise<number> {
  const waitsMs = await codeDeployWaitsMs(api, id)
  if (waitsMs === undefined)
    log.info(
      `How long CodeDeploy's deployment ${id} waits between shifts of traffic could not be read: that counts into the timeout.`,
    )
  return waitsMs ?? 0
}

/**
 * A group is at one deployment at a time. Of an earlier run of ours, one that has only its old tasks to end is brought to its end; a rollback is waited for; any
 * other is let alone.
 * @returns CodeDeploy's name of the deployment; undefined where it is a rollback to the old tasks, which were there still @throws ExpectedFailure Locked
 */
async function begin(
  { api, cluster, clock, codeDeploy, log, cancelled }: CodeDeployContext,
  name: string,
  revision: Revision,
  service: Service,
  puttingBack: boolean,
): Promise<string | undefined> {
  let active: ActiveCodeDeployment | undefined
  for (let tries = 0; tries < 3; tries++) {
    const id = await createCodeDeployment(api, codeDeploy, cluster, service, revision.arn, puttingBack)
    if (id !== undefined) return id
    active = await activeCodeDeployment(api, codeDeploy, cluster, name)
    if (active === undefined) continue
    // Our own call, whose answer was lost on the way and which was sent again.
    if (active.ours && active.revision === revision.name) return active.id
    if (!active.rollsBack) {
      if (puttingBack || !active.ours || !active.shifted) break
      if (keepsTasksOf(service, revision)) {
        log.info(
          `CodeDeploy keeps the old tasks of its deployment ${active.id}, which are of ${revision.name}: it is stopped with its rollback to them.`,
        )
        if (await stopCodeDeployment(api, active.id)) return undefined
        continue
      }
      log.info(
        `CodeDeploy keeps the old tasks of its deployment ${active.id} of ${active.revision}: they are ended, for service ${name} is deployed again.`,
      )
      try {
        await endTerminationWait(api, active.id)
      } catch (error) {
        if (!(error instanceof AwsFailure) || error.reason !== 'Forbidden') throw error
        throw new ExpectedFailure('Locked', `${takenBy(name, active)} ${error.message}`, { cause: error })
      }
    }
    if (!(await codeDeploymentEnds(api, active.id, clock, puttingBack ? undefined : cancelled))) break
  }
  throw new ExpectedFailure('Locked', takenBy(name, active))
}

/** Whether CodeDeploy's rollback leads to the revision: its tasks run, and have no traffic. */
function keepsTasksOf({ taskSets = [] }: Service, { arn }: Revision): boolean {
  return taskSets.some(
    ({ status, taskDefinition, runningCount = 0 }) => status === 'ACTIVE' && taskDefinition === arn && runningCount > 0,
  )
}

function takenBy(name: string, active: ActiveCodeDeployment | undefined): string {
  const of = active === undefined || active.revision === '' ? '' : ` of ${active.revision}`
  const told = `Service ${name} was not changed: CodeDeploy is at ${active === undefined ? 'another deployment' : `the deployment ${active.id}${of}`} already`
  return active?.shifted === true
    ? `${told}, which has all traffic and keeps the old tasks for a while. Deploy again when it has ended them, or have that done now by: aws deploy continue-deployment --deployment-id ${active.id} --deployment-wait-type TERMINATION_WAIT.`
    : `${told}. Deploy again when that has ended.`
}

/** Whatever way is taken, the watch is told what is to come of it, and the passage how it was put back. */
export class PuttingBack {
  readonly #options: PuttingBackOptions

  constructor(options: PuttingBackOptions) {
    this.#options = options
  }

  /** Puts one service back. @returns what was done, for people */
  async putBack(passage: Passage): Promise<string> {
    const { api, cluster, clock } = this.#options
    const known = passage.ecsKnows ? this.#options.watch.snapshot(passage.name) : undefined
    const arn = known?.serviceDeployment?.serviceDeploymentArn
    const open = known?.serviceDeployment?.status === 'IN_PROGRESS' || known?.serviceDeployment?.status === 'PENDING'
    // The fastest way first: of a cancel's 10 s none is to be lost. What we did not begin is not ours to stop.
    if (open && passage.deployment !== '' && arn !== undefined && known?.service !== undefined) {
      const [pause] = this.#options.cancelled.aborted ? [] : pausesOf(known)
      if (pause !== undefined && (await this.#refuse(arn, pause)))
        return this.#rolledBackByEcs(passage, known.service, `by the answer ROLLBACK to its hook at ${pause.stage}`)
      if (await this.#stop(arn)) return this.#rolledBackByEcs(passage, known.service, BY_STOP)
    }
    const [service] = await readServices(api, cluster, [passage.name])
    if (service === undefined) throw new ExpectedFailure('NotFound', `Service ${passage.name} is gone.`)
    this.#options.lock.assertHeld([service])
    if (isCodeDeploys(service)) return this.#byCodeDeploy(passage, service)
    const primary = primaryOf({ service })
    const own = passage.revision ?? passage.live
    // Settings alone begin no deployment: they are ours to put back until somebody deploys.
    const settingsOnly = passage.deployment === '' && [own.arn, passage.live.arn].every(arn => arn === passage.before.arn)
    const begun = settingsOnly
      ? this.#options.watch.snapshot(passage.name) !== undefined && primary?.id === passage.deploymentBefore
      : passage.deployment === ''
        ? // Where a killed run is taken up, what it made live is ours as well.
          [own.arn, passage.live.arn].some(arn => arn === primary?.taskDefinition && arn !== passage.before.arn)
        : primary?.id === passage.deployment
    const current = service.currentServiceDeployment ?? ''
    if (passage.ecsKnows && current !== '' && current !== passage.deploymentArnBefore) {
      const status = await this.#statusOf(current)
      const active = status === undefined || status === 'IN_PROGRESS' || status === 'PENDING'
      if (begun && active && (await this.#stop(current))) return this.#rolledBackByEcs(passage, service, BY_STOP)
      const isBack = status === 'ROLLBACK_SUCCESSFUL' && primary?.taskDefinition === passage.before.arn
      if (isRollingBack(status) || isBack) return this.#rolledBackByEcs(passage, service, BY_ITSELF)
    }
    const back = primary?.taskDefinition === passage.before.arn && own.arn !== passage.before.arn
    // Ours was replaced by a deployment of somebody else's, be it of the old revision.
    const replaced = !begun && known?.serviceDeployment?.status === 'STOPPED'
    if ((!begun && !back) || replaced) {
      return this.#left(passage, `the deployment that runs ${revisionOf(primary?.taskDefinition)}`)
    }
    if (back && primary?.rolloutState === 'IN_PROGRESS' && passage.ecsKnows)
      return this.#rolledBackByEcs(passage, service, BY_ITSELF)
    const since = clock.now()
    const again = own.arn === passage.before.arn && !settingsOnly
    if (back && Object.keys(passage.undo).length === 0) {
      passage.restored = 'by ecs'
      expectOf(this.#options.watch, passage, passage.before, service, since, '')
      return `service/${passage.name} runs ${passage.before.name} already`
    }
    const answer = await api.call('ecs', 'UpdateService', {
      cluster,
      service: passage.name,
      taskDefinition: passage.before.arn,
      ...(again || passage.undo.capacityProviderStrategy !== undefined ? { forceNewDeployment: true } : {}),
      ...passage.undo,
    })
    passage.restored = 'by us'
    const updated = answer.service ?? service
    const next = primaryOf({ service: updated })
    const began = next?.id !== primary?.id
    const more = { deploymentBefore: primary?.id ?? '', digests: {} }
    expectOf(this.#options.watch, passage, passage.before, updated, since, began ? (next?.id ?? '') : '', more, current)
    return `service/${passage.name} to ${passage.before.name}, by a new deployment`
  }

  /**
   * CodeDeploy puts the old task set back where it is at our deployment; where that has ended without, the old revision is deployed again. What a killed run
   * has begun is known by its revision; anybody else's is left to them.
   */
  async #byCodeDeploy(passage: Passage, service: Service): Promise<string> {
    const { api, cluster, codeDeploy, watch } = this.#options
    const { name, before, live } = passage
    let id = passage.codeDeployment
    if (id !== '' && (await this.#stopCodeDeployment(id))) return this.#rolledBackByCodeDeploy(passage, service)
    const active = await activeCodeDeployment(api, codeDeploy, cluster, name)
    // Nobody must stop a rollback. One by which we ourselves went to older tasks leads the other way.
    const away = active?.rollsBack === true && active.takesAway === before.name
    if (active?.rollsBack === true && !away) return this.#rolledBackByCodeDeploy(passage, service)
    if (active !== undefined && !away) {
      if (active.revision === before.name) {
        passage.restored = 'by us'
        passage.codeDeployment = active.id
        const waitsMs = await readWaits(this.#options, active.id)
        expectOf(watch, passage, before, service, active.since, '', { codeDeployment: active.id, waitsMs, digests: {} })
        return `service/${name} to ${before.name}, by CodeDeploy's deployment ${active.id}, which is at it`
      }
      if (active.revision === '' || ![passage.revision?.name, passage.takenUp].includes(active.revision))
        return this.#left(passage, `CodeDeploy's deployment ${active.id}, which runs ${active.revision || 'another revision'}`)
      id = active.id
      if (await this.#stopCodeDeployment(id)) return this.#rolledBackByCodeDeploy(passage, service)
    }
    const runs = revisionOf(primaryOf({ service })?.taskDefinition)
    if (!away && runs === before.name && !(id !== '' && (await this.#hasTraffic(id, name))))
      return this.#rolledBackByCodeDeploy(passage, service, 'already')
    if (![before.name, passage.revision?.name, passage.takenUp, live.name].includes(runs))
      return this.#left(passage, `the deployment that runs ${runs}`)
    await deployByCodeDeploy(this.#options, passage, before, service, true)
    passage.restored = 'by us'
    return `service/${name} to ${before.name}, by a new deployment of CodeDeploy's`
  }

  /** @returns whether it is rolled back, by this or by itself */
  async #stopCodeDeployment(id: string): Promise<boolean> {
    const { api } = this.#options
    return (await stopCodeDeployment(api, id)) || (await codeDeployRollsBack(api, id))
  }

  #rolledBackByCodeDeploy(passage: Passage, service: Service, already = ''): string {
    passage.restored = 'by ecs'
    const since = this.#options.clock.now()
    expectOf(this.#options.watch, passage, passage.before, service, since, '', { rollsBack: true, digests: {} })
    return already === ''
      ? `service/${passage.name} to ${passage.before.name}, by CodeDeploy's rollback`
      : `service/${passage.name} runs ${passage.before.name} already`
  }

  /** @param to for people */
  #left(passage: Passage, to: string): string {
    passage.restored = 'left'
    return `service/${passage.name} was left to ${to}`
  }

  /** Whether a deployment that failed has left some of the traffic to its task set, though the old one is primary still. */
  async #hasTraffic(id: string, service: string): Promise<boolean> {
    const { status, traffic = 0 } = await readCodeDeployment(this.#options.api, id, this.#options.cluster, service)
    return status !== 'Succeeded' && traffic > 0
  }

  /** Undefined where it may not be read. */
  async #statusOf(serviceDeploymentArn: string): Promise<string | undefined> {
    try {
      const answer = await this.#options.api.call('ecs', 'DescribeServiceDeployments', {
        serviceDeploymentArns: [serviceDeploymentArn],
      })
      return answer.serviceDeployments?.[0]?.status
    } catch (error) {
      if (!(error instanceof AwsFailure) || error.reason !== 'Forbidden') throw error
      return undefined
    }
  }

  /** @returns false where ECS has nothing to stop any more, or may not be asked to */
  async #stop(serviceDeploymentArn: string): Promise<boolean> {
    try {
      await this.#options.api.call('ecs', 'StopServiceDeployment', { serviceDeploymentArn, stopType: 'ROLLBACK' })
      return true
    } catch (error) {
      if (!(error instanceof AwsFailure) || error.reason === 'Unreachable' || error.reason === 'Unauthorized') throw error
      this.#options.log.info(`The deployment could not be stopped, so the old revision is deployed again: ${error.message}`)
      return false
    }
  }

  /** @returns false where nobody waits for the answer any more, or it may not be given */
  async #refuse(serviceDeploymentArn: string, { id }: Pause): Promise<boolean> {
    const { api, log } = this.#options
    try {
      await api.call('ecs', 'ContinueServiceDeployment', { serviceDeploymentArn, hookId: id, action: 'ROLLBACK' })
      return true
    } catch (error) {
      if (!(error instanceof AwsFailure) || error.reason === 'Unreachable' || error.reason === 'Unauthorized') throw error
      log.info(`The hook could not be answered, so the deployment is stopped: ${error.message}`)
      return false
    }
  }

  /** @param how for people */
  #rolledBackByEcs(passage: Passage, service: Service, how: string): string {
    passage.restored = 'by ecs'
    expectOf(this.#options.watch, passage, passage.before, service, this.#options.clock.now(), '', {
      rollsBack: true,
      deploymentBefore: passage.deployment,
      digests: {},
    })
    return `service/${passage.name} to ${passage.before.name}, ${how}`
  }
}
