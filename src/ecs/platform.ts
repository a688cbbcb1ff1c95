// ECS as the engine sees it: a release is a revision of a task definition in one or more services, its state tags, its services under one poll.
import type { Service, Tag } from '@aws-sdk/client-ecs'
import type { Clock } from '../deploy/clock.ts'
import type { Observation } from '../deploy/follow.ts'
import { lockHolder } from '../deploy/lock-holder.ts'
import type { Culprit, Plan, Platform, Proof, ReleaseStatus } from '../deploy/platform.ts'
import { formatReleaseAddress } from '../deploy/release-address.ts'
import type { Pause, Verdict } from '../deploy/verdict.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { runAddress } from '../runner/run-address.ts'
import { type AwsApi, AwsFailure } from './api.ts'
import { type CodeDeployNames, isCodeDeploys } from './code-deploy.ts'
import { diagnose } from './diagnosis.ts'
import { expectOf } from './expectation.ts'
import { doubtsOf } from './judge/service.ts'
import { pausesOf, primaryOf } from './judge/service-deployment.ts'
import { type Revision, readRevision, readServices, revisionOfAnswer } from './live-service.ts'
import { checkOneOffs, type OneOffTasks, runOneOff } from './one-off-task.ts'
import {
  changeOf,
  changes,
  type LiveService,
  type Passage,
  passageOf,
  refuseForCodeDeploy,
  refuseOtherControllers,
  unfinishedNote,
  type Wanted,
} from './passage.ts'
import { type CodeDeployContext, deployByCodeDeploy, PuttingBack } from './putting-back.ts'
import { type NotPutBack, notPutBack } from './remedy.ts'
import { ServiceLock } from './service-lock.ts'
import { ServiceWatch } from './service-watch.ts'
import {
  COMMIT_TAG,
  RELEASE_TAG,
  type ReleaseNote,
  RUN_TAG,
  releaseNote,
  releaseValue,
  statusTag,
  tagValue,
  undoKeys,
  undoOf,
  undoTags,
} from './tags.ts'
import { type Definition, differences, diffOf, imagesOf } from './task-definition.ts'

/** Finds out what would keep the release from coming up, and the digests that must run, by image. @throws ExpectedFailure */
export type LookAhead = (
  planned: readonly { readonly live: LiveService; readonly definition: Definition }[],
) => Promise<ReadonlyMap<string, string>>

export interface EcsPlatformOptions {
  readonly api: AwsApi
  readonly cluster: string
  readonly services: readonly string[]
  /** @throws ExpectedFailure */
  readonly target: (live: readonly LiveService[]) => Promise<readonly Wanted[]>
  readonly lookAhead?: LookAhead
  readonly codeDeploy?: CodeDeployNames
  readonly tasks?: OneOffTasks
  readonly lockWaitMs: number
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly log: Log
  readonly cancelled: AbortSignal
}

export class EcsPlatform implements Platform {
  readonly #options: EcsPlatformOptions
  readonly #watch: ServiceWatch
  readonly #lock: ServiceLock
  readonly #codeDeploy: CodeDeployContext
  readonly #puttingBack: PuttingBack
  #services: readonly Service[] | undefined
  #passages: readonly Passage[] = []
  /** What was put back, for people. */
  readonly #putBack: string[] = []
  /** Why `apply` came to nothing. */
  #refusal: unknown

  constructor(options: EcsPlatformOptions) {
    const { api, cluster, services, codeDeploy = { application: '', group: '' }, env, clock, log, cancelled } = options
    this.#options = options
    this.#watch = new ServiceWatch({ api, cluster, clock, onTrouble: sentence => log.info(sentence) })
    this.#lock = new ServiceLock({ api, clock, holder: lockHolder(env), describe: () => readServices(api, cluster, services) })
    this.#codeDeploy = { api, cluster, clock, codeDeploy, watch: this.#watch, log, cancelled }
    this.#puttingBack = new PuttingBack({ ...this.#codeDeploy, lock: this.#lock })
  }

  async lock(): Promise<void> {
    const { lockWaitMs, cancelled } = this.#options
    this.#services = await this.#lock.acquire(lockWaitMs, cancelled)
  }

  async plan(): Promise<Plan> {
    const { api, cluster, services: names, target, lookAhead, tasks, log } = this.#options
    const services = this.#services ?? (await readServices(api, cluster, names))
    for (const service of services) refuseOtherControllers(service)
    const revisions = await this.#readRevisions(services.map(({ taskDefinition = '' }) => taskDefinition))
    const live = services.map(
      (service): LiveService => ({
        name: service.serviceName ?? '',
        service,
        revision: found(revisions, service.taskDefinition),
      }),
    )
    const wanted = await target(live)
    const unfinished = services.map(service => unfinishedNote(service))
    const before = await Promise.all(
      live.map(async ({ revision }, index) => {
        const note = unfinished[index]
        if (note === undefined || note.before === '') return revision
        log.info(
          `Release ${note.revision} of service ${live[index]?.name} was never finished: its run died in the middle, or could not put it back. It is taken up by this one.`,
        )
        return note.before === revision.name ? revision : await readRevision(api, note.before).catch(() => revision)
      }),
    )
    this.#passages = live.map((each, index) => passageOf(each, wanted[index], before[index], unfinished[index]))
    for (const [index, passage] of this.#passages.entries()) refuseForCodeDeploy(passage, services[index] ?? {})
    if (tasks !== undefined) for (const { definition } of this.#passages.slice(0, 1)) checkOneOffs(tasks, definition)
    if (lookAhead !== undefined) {
      const digests = await lookAhead(
        live.map((each, index) => ({ live: each, definition: wanted[index]?.definition ?? each.revision.definition })),
      )
      for (const passage of this.#passages)
        passage.digests = Object.fromEntries(
          [...imagesOf(passage.definition)].flatMap(([container, image]) => digestEntry(container, digests.get(image))),
        )
    }
    return {
      changes: this.#passages.map(changeOf),
      previousRelease: this.#addresses(({ before: { name } }) => name),
      somethingToGoBackTo: true,
      takesUpUnfinished: unfinished.some(note => note !== undefined),
      diff: [
        ...new Set(this.#passages.map(({ live: from, definition }) => diffOf(differences(from.definition, definition)))),
      ].join('\n'),
    }
  }

  async remember(): Promise<string> {
    const { env } = this.#options
    const registered = new Map<string, Revision>()
    for (const passage of this.#passages) {
      if (passage.revision !== undefined) continue
      const key = JSON.stringify(passage.definition)
      const sharing = this.#passages.filter(other => other.revision === undefined && JSON.stringify(other.definition) === key)
      const revision =
        registered.get(key) ??
        (await this.#register(
          passage,
          sharing.map(({ name }) => name),
        ))
      registered.set(key, revision)
      passage.revision = revision
    }
    // What a killed run has changed already is put back should they fail, which apply does.
    if (!this.#passages.some(({ touched }) => touched)) await this.#runBefore()
    const run = runAddress(env)
    await Promise.all(
      this.#passages.filter(changes).map(passage => {
        const note = { status: 'pending' as const, revision: passage.revision?.name ?? '', before: passage.before.name }
        const undo = undoTags(passage.undo)
        if (undo === undefined)
          this.#options.log.warning(
            `What is changed of service ${passage.name} besides its revision is too long to be kept in tags: should this run be killed, only the revision can be put back.`,
          )
        return this.#tag(passage.arn, [
          { key: RELEASE_TAG, value: releaseValue(note) },
          ...(undo ?? []),
          ...(run === '' ? [] : [{ key: RUN_TAG, value: tagValue(run) }]),
        ])
      }),
    )
    return this.#addresses(({ revision, live }) => (revision ?? live).name)
  }

  async apply(): Promise<void> {
    const { api, cluster, services: names } = this.#options
    this.#throwIfCancelled()
    if (this.#passages.some(({ touched }) => touched)) await this.#runTasks('run-before')
    const services = await readServices(api, cluster, names)
    this.#lock.assertHeld(services)
    await settleAll(
      this.#passages.map(async passage => {
        const service = services.find(({ serviceName }) => serviceName === passage.name)
        if (service === undefined) return
        if (!changes(passage)) return this.#expectUnchanged(passage, service)
        this.#throwIfCancelled()
        const revision = passage.revision ?? passage.live
        const other = revision.arn !== service.taskDefinition
        if (!other && !passage.forced && Object.keys(passage.change.input).length === 0)
          return this.#expectUnchanged(passage, service)
        if (isCodeDeploys(service)) return deployByCodeDeploy(this.#codeDeploy, passage, revision, service)
        const since = this.#options.clock.now()
        passage.touched = true
        const answer = await api.call('ecs', 'UpdateService', {
          cluster,
          service: passage.name,
          ...(other ? { taskDefinition: revision.arn } : {}),
          ...(passage.forced ? { forceNewDeployment: true } : {}),
          ...passage.change.input,
        })
        const updated = answer.service ?? service
        const primary = primaryOf({ service: updated })
        const began = primary !== undefined && primary.id !== primaryOf({ service })?.id
        passage.deployment = began ? (primary.id ?? '') : ''
        expectOf(this.#watch, passage, revision, updated, since, began ? (primary.id ?? '') : '')
      }),
    ).catch((error: unknown) => {
      this.#refusal = error
      throw error
    })
  }

  async observe(): Promise<Observation> {
    const { lost } = this.#lock
    if (this.#watch.names.length === 0) {
      const services = this.#services ?? []
      for (const passage of this.#passages) {
        const service = services.find(({ serviceName }) => serviceName === passage.name)
        // Nothing was begun, or nothing is left of it: what was live has to be well.
        if (service !== undefined) expectOf(this.#watch, passage, passage.live, service, this.#options.clock.now(), '')
      }
    }
    const observation = this.#watch.observe()
    return {
      ...observation,
      judge: () => {
        lost.throwIfAborted()
        return observation.judge()
      },
    }
  }

  async goOn({ id }: Pause): Promise<void> {
    this.#lock.lost.throwIfAborted()
    const held = this.#watch.names
      .flatMap(name => this.#watch.snapshot(name) ?? [])
      .find(snapshot => pausesOf(snapshot).some(pause => pause.id === id))
    const serviceDeploymentArn = held?.serviceDeployment?.serviceDeploymentArn
    if (serviceDeploymentArn === undefined) return
    await this.#options.api.call('ecs', 'ContinueServiceDeployment', { serviceDeploymentArn, hookId: id, action: 'CONTINUE' })
  }

  async diagnose(verdict: Verdict): Promise<readonly Culprit[]> {
    await this.#watch.settled()
    const failed = verdict.workloads.filter(({ phase }) => phase !== 'healthy').map(({ workload }) => workload)
    const snapshots = this.#watch.names
      .flatMap(name => this.#watch.snapshot(name) ?? [])
      .filter(({ name }) => failed.includes(name))
    const { api, cluster } = this.#options
    return diagnose(
      api,
      cluster,
      snapshots.map(snapshot => ({
        snapshot,
        definition: (this.#passages.find(({ name }) => `service/${name}` === snapshot.name)?.revision ?? undefined)?.definition,
      })),
    )
  }

  async finish(): Promise<boolean> {
    await this.#runTasks('run-after')
    this.#lock.lost.throwIfAborted()
    return false
  }

  async prove(): Promise<Proof> {
    const digests = this.#passages.map(({ name, revision, live }) => {
      const wanted = (revision ?? live).arn
      const running = [...(this.#watch.snapshot(name)?.tasks ?? [])].filter(
        ({ lastStatus, taskDefinitionArn }) => lastStatus === 'RUNNING' && taskDefinitionArn === wanted,
      )
      const found = running.flatMap(({ containers = [] }) =>
        containers.flatMap(({ name: container = '', imageDigest }) => digestEntry(container, imageDigest)),
      )
      return [`service/${name}`, Object.fromEntries(found)] as const
    })
    const doubts = this.#watch.names.flatMap(name => {
      const snapshot = this.#watch.snapshot(name)
      return snapshot === undefined ? [] : doubtsOf(snapshot)
    })
    return {
      digests: Object.fromEntries(digests),
      doubts,
      revision: [...new Set(this.#passages.map(({ revision, live }) => (revision ?? live).name))].join(' '),
    }
  }

  async restore(): Promise<readonly string[]> {
    this.#lock.lost.throwIfAborted()
    const failures: NotPutBack[] = []
    await Promise.all(
      this.#passages
        // Asked once more it goes on with what is left.
        .filter(({ touched, restored }) => touched && (restored === 'no' || restored === 'failed'))
        .map(async passage => {
          try {
            this.#putBack.push(await this.#puttingBack.putBack(passage))
          } catch (error) {
            passage.restored = 'failed'
            failures.push({ passage, error })
          }
        }),
    )
    this.#lock.lost.throwIfAborted()
    if (failures.length > 0) throw notPutBack(this.#options.cluster, failures, this.#putBack)
    const touched = this.#passages.filter(passage => passage.touched)
    const refused = this.#refusal instanceof ExpectedFailure && this.#refusal.reason === 'Locked'
    if (touched.length === 0 && refused) throw this.#refusal
    if (touched.length > 0 && touched.every(({ restored }) => restored === 'left'))
      throw new ExpectedFailure('Superseded', 'Nothing was put back: what is live now is the other deployment.')
    return this.#putBack
  }

  async record(status: ReleaseStatus, message: string): Promise<void> {
    void message
    if (this.#lock.lost.aborted) return
    const { api, cluster } = this.#options
    await Promise.all(
      this.#passages.filter(changes).map(async passage => {
        const revision = passage.revision ?? passage.live
        if (passage.restored === 'left') return
        if (passage.restored === 'by ecs') await this.#putBackSettings(passage)
        // The note stays, and what is to be put back with it: whoever comes next takes it up.
        const unfinished = passage.restored === 'failed'
        const own =
          status === 'deployed' && passage.keepsStatus
            ? []
            : [{ key: statusTag(cluster, passage.name), value: this.#stamp(status) }]
        const replaced = status === 'deployed' && passage.keepsStatus && revision.arn !== passage.live.arn
        await Promise.all([
          own.length === 0 ? undefined : this.#tag(revision.arn, own),
          replaced
            ? this.#tag(passage.live.arn, [{ key: statusTag(cluster, passage.name), value: this.#stamp('rolled-back') }])
            : undefined,
          unfinished
            ? undefined
            : this.#tag(passage.arn, [
                { key: RELEASE_TAG, value: releaseValue({ status, revision: revision.name, before: passage.before.name }) },
              ]),
        ])
        if (unfinished) return
        const keys = undoKeys(undoTags(passage.undo))
        if (keys.length > 0) await api.call('ecs', 'UntagResource', { resourceArn: passage.arn, tagKeys: [...keys] })
      }),
    )
  }

  async unlock(): Promise<void> {
    this.#watch.close()
    await this.#watch.settled()
    await this.#lock.release()
  }

  /**
   * Takes up a release whose run was cancelled or killed before it had ended, so that it can be put back. `revisions` are its, by service.
   * @returns undefined when it has ended meanwhile, else what a plan says of going back
   */
  async resume(
    revisions: ReadonlyMap<string, string>,
  ): Promise<Pick<Plan, 'somethingToGoBackTo' | 'previousRelease'> | undefined> {
    const { api, cluster, services: names } = this.#options
    const services = this.#services ?? (await readServices(api, cluster, names))
    const open = services.filter(service => {
      const note = releaseNote(service)
      return note?.status === 'pending' && note.revision === revisions.get(service.serviceName ?? '')
    })
    if (open.length === 0) return undefined
    this.#passages = await Promise.all(
      open.map(async service => {
        const note = releaseNote(service) as ReleaseNote
        const [revision, before] = await Promise.all([readRevision(api, note.revision), readRevision(api, note.before)])
        const primary = primaryOf({ service })
        const passage: Passage = {
          name: service.serviceName ?? '',
          arn: service.serviceArn ?? '',
          live: before,
          before,
          deploymentBefore: '',
          deploymentArnBefore: '',
          undo: undoOf(service.tags),
          definition: revision.definition,
          tags: [],
          change: { input: {}, details: ['taken up'], undo: {} },
          forced: false,
          keepsStatus: false,
          ecsKnows: true,
          byCodeDeploy: isCodeDeploys(service),
          takenUp: revision.name,
          revision,
          digests: {},
          deployment: primary?.taskDefinition === revision.arn ? (primary.id ?? '') : '',
          codeDeployment: '',
          touched: true,
          restored: 'no',
        }
        return passage
      }),
    )
    return { somethingToGoBackTo: true, previousRelease: this.#addresses(({ before }) => before.name) }
  }

  /** ECS's own name of the deployments that this run began; empty where it began none. */
  get deploymentIds(): string {
    return this.#passages
      .flatMap(
        ({ name, deployment, codeDeployment }) =>
          this.#watch.snapshot(name)?.serviceDeployment?.serviceDeploymentArn ?? (codeDeployment || deployment),
      )
      .join('\n')
  }

  /** The ARNs of what was to run. */
  get taskDefinitionArns(): string {
    return [...new Set(this.#passages.map(({ revision, live }) => (revision ?? live).arn))].join('\n')
  }

  #addresses(name: (passage: Passage) => string): string {
    const { cluster } = this.#options
    return this.#passages
      .map(passage => {
        const [family = '', revision = ''] = name(passage).split(':')
        return formatReleaseAddress({ platform: 'ecs', cluster, service: passage.name, family, revision: Number(revision) })
      })
      .join('\n')
  }

  async #readRevisions(arns: readonly string[]): Promise<readonly Revision[]> {
    return Promise.all([...new Set(arns)].map(arn => readRevision(this.#options.api, arn)))
  }

  async #register(passage: Passage, services: readonly string[]): Promise<Revision> {
    const { api, cluster, env, log } = this.#options
    const [commit = '', run] = [env['GITHUB_SHA'], runAddress(env)]
    const tags = [
      ...passage.tags,
      ...services.map(name => ({ key: statusTag(cluster, name), value: this.#stamp('pending') })),
      ...(commit === '' ? [] : [{ key: COMMIT_TAG, value: tagValue(commit) }]),
      ...(run === '' ? [] : [{ key: RUN_TAG, value: tagValue(run) }]),
    ]
    try {
      const answer = await api.call('ecs', 'RegisterTaskDefinition', { ...passage.definition, tags })
      const revision = revisionOfAnswer(answer.taskDefinition ?? {}, answer.tags ?? tags)
      log.info(`Registered ${revision.name}`)
      return revision
    } catch (error) {
      if (
        error instanceof AwsFailure &&
        error.reason !== 'Unreachable' &&
        /^(ClientException|InvalidParameterException|SerializationException)$/.test(error.code)
      )
        throw new ExpectedFailure(
          'InvalidInput',
          `ECS does not take the task definition ${passage.definition.family}: ${error.said.replace(/\.$/, '')}. Nothing was changed.`,
          {
            cause: error,
          },
        )
      throw error
    }
  }

  #stamp(status: ReleaseStatus): string {
    return tagValue(`${status} ${new Date(this.#options.clock.now()).toISOString()}`)
  }

  async #tag(resourceArn: string, tags: readonly Tag[]): Promise<void> {
    await this.#options.api.call('ecs', 'TagResource', { resourceArn, tags: [...tags] })
  }

  #expectUnchanged(passage: Passage, service: Service): void {
    expectOf(this.#watch, passage, passage.revision ?? passage.live, service, this.#options.clock.now(), '')
  }

  /** @throws ExpectedFailure when one ends badly: of the services nothing was changed by then */
  async #runBefore(): Promise<void> {
    try {
      await this.#runTasks('run-before')
    } catch (error) {
      const { cluster } = this.#options
      const registered = new Map(
        this.#passages.flatMap(({ revision, live }) =>
          revision === undefined || revision.arn === live.arn ? [] : [[revision.arn, revision.name] as const],
        ),
      )
      await Promise.all(
        this.#passages
          .filter(({ keepsStatus }) => !keepsStatus)
          .flatMap(({ name, revision }) =>
            revision !== undefined && registered.has(revision.arn)
              ? [this.#tag(revision.arn, [{ key: statusTag(cluster, name), value: this.#stamp('failed') }])]
              : [],
          ),
      ).catch(() => undefined)
      if (!(error instanceof ExpectedFailure)) throw error
      const names = [...registered.values()].join(' and ')
      throw new ExpectedFailure(
        error.reason,
        `${error.message.replace(/\.$/, '')}. No service was updated${names === '' ? '' : `, ${names} was only registered`}.`,
        { cause: error },
      )
    }
  }

  /** One after the other, as tasks of the first service's revision. */
  async #runTasks(input: 'run-before' | 'run-after'): Promise<void> {
    const { api, cluster, tasks, env, clock, log, cancelled } = this.#options
    const [first] = this.#passages
    const work = (input === 'run-before' ? tasks?.before : tasks?.after) ?? []
    if (first === undefined || tasks === undefined || work.length === 0) return
    const [service] = await readServices(api, cluster, [first.name])
    if (service === undefined) return
    const revision = first.revision ?? first.live
    for (const each of work) {
      this.#lock.lost.throwIfAborted()
      await runOneOff(input, each, { api, cluster, service, revision, timeoutMs: tasks.timeoutMs, env, clock, log, cancelled })
    }
  }

  /** ECS's rollback knows the service's revision, capacity providers included: count and configuration are put back once it has ended. */
  async #putBackSettings(passage: Passage): Promise<void> {
    const { capacityProviderStrategy: _, ...undo } = passage.undo
    if (Object.keys(undo).length === 0) return
    const { api, cluster } = this.#options
    await api.call('ecs', 'UpdateService', { cluster, service: passage.name, ...undo })
  }

  #throwIfCancelled(): void {
    if (this.#options.cancelled.aborted) throw new ExpectedFailure('Cancelled', 'Cancelled in the middle of the change.')
  }
}

function found(revisions: readonly Revision[], arn: string | undefined): Revision {
  const revision = revisions.find(candidate => candidate.arn === arn)
  if (revision === undefined) throw new Error(`${arn} was not read`)
  return revision
}

function digestEntry(container: string, digest: string | undefined): readonly (readonly [string, string])[] {
  return digest === undefined ? [] : [[container, digest]]
}

/** All of them have ended when this does, whether or not one failed. */
async function settleAll(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work)
  const failed = results.filter(result => result.status === 'rejected')
  const bug = failed.find(({ reason }) => !(reason instanceof ExpectedFailure))
  if (failed[0] !== undefined) throw (bug ?? failed[0]).reason
}
