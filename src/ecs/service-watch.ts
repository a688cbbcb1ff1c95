// Services under observation: polled, since ECS tells nobody. Each poll reads what may have changed, and no more.
import type { Service, ServiceDeployment, Task } from '@aws-sdk/client-ecs'
import { type Clock, sleep } from '../deploy/clock.ts'
import type { Observation } from '../deploy/follow.ts'
import { combine, type Judgement, type Verdict } from '../deploy/verdict.ts'
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { AwsApi } from './api.ts'
import { readCodeDeployment, withTaskSets } from './code-deploy.ts'
import { readImageParts } from './image-parts.ts'
import type { CodeDeployment } from './judge/code-deploy.ts'
import type { ImageParts } from './judge/digests.ts'
import { judgeService, otherDigestsOf } from './judge/service.ts'
import { isOver, primaryOf } from './judge/service-deployment.ts'
import { type Expectation, revisionOf, type ServiceSnapshot, type TargetState } from './judge/snapshot.ts'
import { PollPace } from './poll-pace.ts'
import { MOST_TASKS, readTasks } from './service-tasks.ts'
import { RUN_TAG, tagOf } from './tags.ts'

export interface ServiceWatchOptions {
  readonly api: AwsApi
  readonly cluster: string
  readonly clock: Clock
  readonly onTrouble: (sentence: string) => void
}

interface Watched {
  readonly name: string
  expected: Expectation
  service: Service | undefined
  /** The ARN that was current before our change: it is not ours. */
  deploymentBefore: string
  serviceDeployment: ServiceDeployment | undefined
  deploymentArn: string
  codeDeployment: CodeDeployment | undefined
  seen: boolean
  successor: string | undefined
  tasks: ReadonlyMap<string, Task>
  targets: readonly TargetState[]
  signature: string
  /** True once the running tasks were listed. */
  listed: boolean
  /** True once it was told that there are too many tasks to read them all. */
  sampled: boolean
}

/** The first look after a change: ECS shows a new deployment after a second or two. */
const FIRST_POLL_MS = 1_500
/** While nothing moves the service deployment and the tasks are read at every so many polls only. */
const FULL_READ_EVERY = 4
/** A read that has begun is done within a second or two. */
const SETTLED_MS = 3_000

export class ServiceWatch {
  readonly #options: ServiceWatchOptions
  readonly #watched = new Map<string, Watched>()
  readonly #listeners = new Set<() => void>()
  readonly #pace = new PollPace()
  readonly #parts = new Map<string, ImageParts>()
  /** Images whose parts are asked for, by digest. */
  readonly #asked = new Set<string>()
  #cancelTimer: (() => void) | undefined
  #polling: Promise<void> | undefined
  #fault: unknown
  #polls = 0
  #closed = false
  /** Grows with every `observe`: what a read of an earlier one brings comes too late to be told. */
  #round = 0
  /** True where service deployments may not be read. */
  #refused = false

  constructor(options: ServiceWatchOptions) {
    this.#options = options
  }

  /** From here on the service is expected to be so. `service` is what ECS has just answered of it. */
  expect(name: string, expected: Expectation, service: Service, before: { readonly deploymentArn: string }): void {
    const known = this.#watched.get(name)
    const same = known !== undefined && expected.rollsBack
    this.#watched.set(name, {
      name,
      expected,
      service,
      deploymentBefore: before.deploymentArn,
      // ECS's own rollback is the same service deployment.
      serviceDeployment: same ? known.serviceDeployment : undefined,
      deploymentArn: same ? known.deploymentArn : '',
      codeDeployment: undefined,
      seen: false,
      successor: undefined,
      tasks: known?.tasks ?? new Map(),
      targets: [],
      signature: '',
      listed: false,
      sampled: known?.sampled ?? false,
    })
  }

  snapshot(name: string): ServiceSnapshot | undefined {
    const watched = this.#watched.get(name)
    return watched === undefined ? undefined : this.#snapshotOf(watched)
  }

  #snapshotOf(watched: Watched): ServiceSnapshot {
    return { ...watched, name: `service/${watched.name}`, tasks: [...watched.tasks.values()], parts: this.#parts }
  }

  get names(): readonly string[] {
    return [...this.#watched.keys()]
  }

  observe(): Observation {
    this.#closed = false
    this.#fault = undefined
    this.#round++
    const soon = this.#polls === 0 ? FIRST_POLL_MS : 0
    this.#schedule(soon)
    return {
      judge: () => this.judge(),
      now: () => this.#options.clock.now(),
      // They shift at the same time.
      waitsMs: Math.max(0, ...[...this.#watched.values()].map(({ expected }) => expected.waitsMs ?? 0)),
      subscribe: changed => {
        this.#listeners.add(changed)
        return () => this.#listeners.delete(changed)
      },
      close: () => this.close(),
    }
  }

  judge(): Verdict {
    if (this.#fault !== undefined) throw this.#fault
    const now = this.#options.clock.now()
    return combine(
      this.names.flatMap(name => {
        const snapshot = this.snapshot(name)
        if (snapshot === undefined) return []
        const watched = this.#watched.get(name)
        const judgement = judgeService(snapshot, now)
        // Healthy is said of tasks that were seen: which digest they run is part of it.
        const unread = judgement.phase === 'healthy' && watched?.listed === false && watched.signature !== ''
        if (unread || watched?.signature === '') return [waiting(judgement, 'waiting for ECS to show the deployment')]
        const unproven = judgement.phase === 'healthy' && otherDigestsOf(snapshot).some(({ wanted }) => this.#asked.has(wanted))
        return [unproven ? waiting(judgement, 'waiting for Amazon ECR to show what its image consists of') : judgement]
      }),
    )
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Waits for a read that is under way, but not for a connection that is silent: what is to be put back has no time for that. */
  async settled(): Promise<void> {
    const enough = new AbortController()
    await Promise.race([this.#polling, sleep(this.#options.clock, SETTLED_MS, enough.signal)])
    enough.abort()
  }

  #schedule(ms: number): void {
    this.#cancelTimer?.()
    if (this.#closed) return
    this.#cancelTimer = this.#options.clock.after(ms, () => {
      this.#polling = this.#poll()
    })
  }

  async #poll(): Promise<void> {
    const { api } = this.#options
    const throttles = api.throttles
    const round = this.#round
    let moved = false
    try {
      moved = await this.#read()
    } catch (error) {
      if (round !== this.#round) return
      if (error instanceof ExpectedFailure && error.reason === 'Unreachable') this.#options.onTrouble(error.message)
      else this.#fault = error
    }
    this.#polls++
    if (this.#closed || round !== this.#round) return
    for (const listener of this.#listeners) listener()
    if (this.#fault === undefined) this.#schedule(this.#pace.next({ moved, throttled: api.throttles > throttles }))
  }

  /** Reads once. @returns whether anything had changed */
  async #read(): Promise<boolean> {
    const { api, cluster } = this.#options
    const answer = await api.call('ecs', 'DescribeServices', { cluster, services: [...this.names] })
    const full = this.#polls % FULL_READ_EVERY === 0
    const moved: Watched[] = []
    const stirring: Watched[] = []
    for (const watched of this.#watched.values()) {
      const service = answer.services?.find(({ serviceName }) => serviceName === watched.name)
      watched.service = service === undefined ? undefined : withTaskSets(service)
      const signature = signatureOf(watched.service)
      const changed = signature !== watched.signature
      watched.signature = signature
      this.#recognise(watched)
      if (changed) moved.push(watched)
      if (changed || full || shifts(watched.service)) stirring.push(watched)
    }
    await Promise.all([
      this.#readDeployments(stirring),
      ...[...this.#watched.values()].map(watched => this.#readCodeDeployment(watched)),
    ])
    await Promise.all(
      stirring.map(async watched => {
        await this.#readTasks(watched)
        await this.#readTargets(watched)
      }),
    )
    await Promise.all([...this.#watched.values()].map(watched => this.#findSuccessor(watched)))
    return moved.length > 0
  }

  /**
   * Whether the service deployment that is current is ours: the one that was not there before, while our deployment is primary. Where we began none it is the
   * one that brought the revision, or has put it back.
   */
  #recognise(watched: Watched): void {
    const { service, expected } = watched
    const primary = primaryOf({ service })
    const none = expected.deployment === ''
    const ours = none ? primary?.taskDefinition === expected.taskDefinition : primary?.id === expected.deployment
    if (ours) watched.seen = true
    const current = service?.currentServiceDeployment ?? ''
    if (current === '' || current === watched.deploymentArn || !ours) return
    if (none ? expected.rollsBack : watched.deploymentArn !== '' || current === watched.deploymentBefore) return
    watched.deploymentArn = current
    watched.serviceDeployment = undefined
  }

  async #readCodeDeployment(watched: Watched): Promise<void> {
    const { api, cluster } = this.#options
    const id = watched.expected.codeDeployment
    if (id !== undefined) watched.codeDeployment = await readCodeDeployment(api, id, cluster, watched.name)
  }

  async #readDeployments(stirring: readonly Watched[]): Promise<void> {
    const open = stirring.filter(
      ({ deploymentArn, serviceDeployment }) => deploymentArn !== '' && !isOver(serviceDeployment?.status),
    )
    if (open.length === 0) return
    const arns = open.map(({ deploymentArn }) => deploymentArn)
    const serviceDeployments = await this.#describeDeployments(arns)
    for (const watched of open)
      watched.serviceDeployment =
        serviceDeployments.find(({ serviceDeploymentArn }) => serviceDeploymentArn === watched.deploymentArn) ??
        watched.serviceDeployment
  }

  /** Who may not read them has the rollout of the service itself, which says less. */
  async #describeDeployments(serviceDeploymentArns: readonly string[]): Promise<readonly ServiceDeployment[]> {
    if (this.#refused) return []
    try {
      const answer = await this.#options.api.call('ecs', 'DescribeServiceDeployments', {
        serviceDeploymentArns: [...serviceDeploymentArns],
      })
      return answer.serviceDeployments ?? []
    } catch (error) {
      if (!(error instanceof ExpectedFailure) || error.reason !== 'Forbidden') throw error
      this.#refused = true
      this.#options.onTrouble(`Followed by the service's rollout alone: ${error.message}`)
      return []
    }
  }

  /** Stopped tasks say what went wrong, running ones which digest they run. */
  async #readTasks(watched: Watched): Promise<void> {
    const primary = primaryOf(watched)
    const over = isOver(watched.serviceDeployment?.status) || primary?.rolloutState === 'COMPLETED'
    const runs = (primary?.runningCount ?? 0) > 0
    const wantsRunning = runs && (over || (watched.service?.loadBalancers ?? []).length > 0)
    const { api, cluster, onTrouble } = this.#options
    const tasks = new Map(watched.tasks)
    const all = await readTasks(api, { cluster, service: watched.name, running: wantsRunning }, tasks)
    watched.tasks = tasks
    this.#readParts(watched)
    if (!all && !watched.sampled)
      onTrouble(
        `Service ${watched.name} has more than ${MOST_TASKS} tasks: it is judged by so many of them, and by what ECS says.`,
      )
    watched.sampled ||= !all
    watched.listed = wantsRunning || !runs
  }

  /**
   * Of an image that a task names by another digest than the one deployed. Nobody waits for it but a good verdict: what ECS tells of the tasks is worth more
   * than whose registry is out of reach.
   */
  #readParts(watched: Watched): void {
    const { api } = this.#options
    const unknown = otherDigestsOf(this.#snapshotOf(watched)).filter(({ wanted }) => !this.#parts.has(wanted))
    for (const [wanted, container] of new Map(unknown.map(({ wanted, container }) => [wanted, container]))) {
      this.#parts.set(wanted, { unread: 'Amazon ECR has not answered yet' })
      this.#asked.add(wanted)
      readImageParts(api, watched.expected.images?.get(container) ?? '', wanted)
        .then(
          parts => void this.#parts.set(wanted, parts),
          (error: unknown) => {
            this.#fault = error
          },
        )
        .finally(() => {
          this.#asked.delete(wanted)
          if (!this.#closed) for (const listener of this.#listeners) listener()
        })
    }
  }

  async #readTargets(watched: Watched): Promise<void> {
    // A service that shifts traffic has its new tasks in the one or the other, in turn.
    const groups = new Set(
      (watched.service?.loadBalancers ?? []).flatMap(({ targetGroupArn, advancedConfiguration }) =>
        [targetGroupArn, advancedConfiguration?.alternateTargetGroupArn].flatMap(arn => arn ?? []),
      ),
    )
    const running = [...watched.tasks.values()].some(
      ({ lastStatus, taskDefinitionArn }) => lastStatus === 'RUNNING' && taskDefinitionArn === watched.expected.taskDefinition,
    )
    const over = isOver(watched.serviceDeployment?.status)
    if (groups.size === 0 || !running || over) {
      watched.targets = []
      return
    }
    const found = await Promise.all(
      [...groups].map(async group => {
        try {
          const answer = await this.#options.api.call('elasticloadbalancing', 'DescribeTargetHealth', { TargetGroupArn: group })
          return (answer.TargetHealthDescriptions ?? []).map(({ Target, TargetHealth }) => ({
            targetGroup: group,
            id: Target?.Id ?? '',
            state: TargetHealth?.State ?? '',
            reason: TargetHealth?.Reason ?? '',
            description: TargetHealth?.Description ?? '',
          }))
        } catch (error) {
          // Evidence that may not be read is no reason to give up: ECS stops the task all the same.
          if (error instanceof ExpectedFailure) return []
          throw error
        }
      }),
    )
    watched.targets = found.flat()
  }

  /** Another deployment has the service: who made it is read once. */
  async #findSuccessor(watched: Watched): Promise<void> {
    const { service, expected, seen, successor } = watched
    const primary = primaryOf({ service })
    const known =
      expected.deployment === ''
        ? primary?.taskDefinition === expected.taskDefinition || expected.codeDeployment !== undefined
        : primary?.id === expected.deployment || primary?.id === expected.deploymentBefore
    if (
      primary === undefined ||
      known ||
      !seen ||
      successor !== undefined ||
      expected.rollsBack ||
      primary.taskDefinition === undefined
    )
      return
    watched.successor = await describeRevision(this.#options.api, primary.taskDefinition)
  }
}

/** `web:9, registered by arn:…:assumed-role/ci/ada, run https://…`, as far as it may be read. */
async function describeRevision(api: AwsApi, taskDefinition: string): Promise<string> {
  const revision = revisionOf(taskDefinition)
  try {
    const { taskDefinition: found, tags } = await api.call('ecs', 'DescribeTaskDefinition', { taskDefinition, include: ['TAGS'] })
    const by = found?.registeredBy === undefined ? '' : `, registered by ${foreignLine(found.registeredBy, 160)}`
    const run = tagOf(tags, RUN_TAG)
    return `${revision}${by}${run === undefined ? '' : `, ${foreignLine(run, 160)}`}`
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw new Error(messageOf(error), { cause: error })
    return revision
  }
}

function waiting(judgement: Judgement, message: string): Judgement {
  return {
    ...judgement,
    phase: 'progressing',
    reason: '',
    message: `${judgement.workload}: ${message}`,
  }
}

/** All of a service that moves during a deployment. */
function signatureOf(service: Service | undefined): string {
  const deployments = (service?.deployments ?? []).map(
    ({ id, status, rolloutState, runningCount, pendingCount, desiredCount, failedTasks }) =>
      [id, status, rolloutState, runningCount, pendingCount, desiredCount, failedTasks].join(' '),
  )
  return [
    service?.status,
    service?.desiredCount,
    service?.currentServiceDeployment,
    service?.events?.[0]?.id,
    ...deployments,
  ].join('|')
}

/** Strategies that shift traffic go through stages that only the service deployment tells. */
function shifts(service: Service | undefined): boolean {
  const strategy = service?.deploymentConfiguration?.strategy
  return strategy !== undefined && strategy !== 'ROLLING'
}
