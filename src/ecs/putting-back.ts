// Putting one service back: by ECS's own rollback where it is still at it, by CodeDeploy's, or by a deployment of the old revision.
import type { Service } from '@aws-sdk/client-ecs'
import type { Clock } from '../deploy/clock.ts'
import type { Pause } from '../deploy/verdict.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import {
  activeCodeDeployment,
  type CodeDeployNames,
  codeDeployRollsBack,
  createCodeDeployment,
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

export interface CodeDeployContext {
  readonly api: AwsApi
  readonly cluster: string
  readonly clock: Clock
  readonly codeDeploy: CodeDeployNames
  readonly watch: ServiceWatch
}

export interface PuttingBackOptions extends CodeDeployContext {
  readonly lock: ServiceLock
  readonly log: Pick<Log, 'info'>
  readonly cancelled: AbortSignal
}

const BY_STOP = "by stopping the deployment with ECS's rollback"
const BY_ITSELF = "by ECS's own rollback"

/** Has CodeDeploy put the revision in the service's place, and tells the watch. @throws ExpectedFailure, AwsFailure */
export async function deployByCodeDeploy(
  { api, cluster, clock, codeDeploy, watch }: CodeDeployContext,
  passage: Passage,
  revision: Revision,
  service: Service,
  puttingBack = false,
): Promise<void> {
  const since = clock.now()
  passage.codeDeployment = await createCodeDeployment(api, codeDeploy, cluster, service, revision.arn, puttingBack)
  const more = { codeDeployment: passage.codeDeployment, ...(puttingBack ? { digests: {} } : {}) }
  expectOf(watch, passage, revision, service, since, '', more)
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
      passage.restored = 'left'
      return `service/${passage.name} was left to the deployment that runs ${revisionOf(primary?.taskDefinition)}`
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

  /** CodeDeploy puts the old task set back where it is at it; where it has ended without that, the old revision is deployed again. */
  async #byCodeDeploy(passage: Passage, service: Service): Promise<string> {
    const { api, cluster, clock, codeDeploy } = this.#options
    const own = passage.codeDeployment
    const id = own || (await activeCodeDeployment(api, codeDeploy, cluster, passage.name))
    // Of a killed run it may be at its rollback by now, which nobody must stop.
    const rollsBack =
      id !== '' &&
      ((own === '' && (await codeDeployRollsBack(api, id))) ||
        (await stopCodeDeployment(api, id)) ||
        (await codeDeployRollsBack(api, id)))
    const live = primaryOf({ service })?.taskDefinition
    if (!rollsBack && (live !== passage.before.arn || (id !== '' && (await this.#hasTraffic(id, passage.name))))) {
      await deployByCodeDeploy(this.#options, passage, passage.before, service, true)
      passage.restored = 'by us'
      return `service/${passage.name} to ${passage.before.name}, by a new deployment of CodeDeploy's`
    }
    passage.restored = 'by ecs'
    expectOf(this.#options.watch, passage, passage.before, service, clock.now(), '', { rollsBack: true, digests: {} })
    return rollsBack
      ? `service/${passage.name} to ${passage.before.name}, by CodeDeploy's rollback`
      : `service/${passage.name} runs ${passage.before.name} already`
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
