// Kubernetes as the engine sees it: a release is a list of steps, its state a Secret, its lock a Lease, its workloads under one watch.
import type { Clock } from '../deploy/clock.ts'
import { follow, type Observation } from '../deploy/follow.ts'
import { lockHolder } from '../deploy/lock-holder.ts'
import type { Culprit, Plan, Platform, Proof, ReleaseStatus } from '../deploy/platform.ts'
import type { Verdict } from '../deploy/verdict.ts'
import { ExpectedFailure, type FilePosition, messageOf } from '../runner/failure.ts'
import type { Log } from '../runner/log.ts'
import { runAddress } from '../runner/run-address.ts'
import { asExpectedFailure, type KubernetesApi } from './api.ts'
import { atOnce } from './at-once.ts'
import { lostChanges, sameIntent } from './change.ts'
import { diagnose, type Patient } from './diagnosis.ts'
import { tryAll } from './dry-run.ts'
import { ImageResolver } from './image-digests.ts'
import { containerImages } from './images.ts'
import { followedKind, runsPods } from './judge/kinds.ts'
import { commandsToUndo, readRecord, type WayBack } from './kubectl-commands.ts'
import { LeaseLock } from './lease-lock.ts'
import { type KubernetesObject, objectKey, objectName } from './objects.ts'
import { planOf } from './plan.ts'
import type { ClusterReads } from './preflight/cluster-reads.ts'
import type { PreflightContext, PreflightMode } from './preflight/preflight.ts'
import { judgeDigests, provenDigests } from './proof.ts'
import { finalStateOf, imagesOf, isCompleted, stateOf, stepToUndo } from './recorded-steps.ts'
import {
  explainInventoryOnly,
  fitted,
  inventoryOf,
  knownStates,
  LARGEST_BYTES,
  liveRecord,
  type RecordContent,
  type ReleaseRecord,
  ReleaseRecords,
  unfinishedRecords,
} from './release-record.ts'
import { ReleaseWatch, type Workload } from './release-watch.ts'
import { concealSecrets, concealUsedSecrets } from './secret-values.ts'
import { proveEndpoints } from './service-endpoints.ts'
import { established, goesFirst, inOrder, stagesOf, withAccounts } from './step-order.ts'
import {
  asPutBack,
  BeingDeleted,
  dropsLastApplied,
  isMadeAnew,
  isNoChange,
  mayPass,
  readLive,
  runsOnce,
  type Step,
  takeStep,
  undoStep,
} from './steps.ts'
import { isStatefulSet, replaceStuckPods } from './stuck-pods.ts'
import { takeUp } from './take-up.ts'

/** The steps of a release, found out from manifests or from a record. */
export interface Target {
  readonly steps: readonly Step[]
  /** The number of the release that is put back; 0 where it is a new one. */
  readonly restores: number
  /** True where what is put back has no record: it was live before the first one. */
  readonly restoresOriginal?: boolean
  /** The commit of what is put back. Default: the run's own. */
  readonly commit?: string
  /** The releases that are taken away by this one, and are marked so when this one is up. */
  readonly replaces?: readonly number[]
}

export interface KubernetesPlatformOptions {
  readonly api: KubernetesApi
  readonly app: string
  readonly namespace: string
  /** Reads what is to be made live. @throws ExpectedFailure */
  readonly target: (records: Promise<readonly ReleaseRecord[]>) => Promise<Target>
  /** The steps as far as they are known before anything was read: for naming the rights they need. */
  readonly intended?: readonly Step[]
  /** What is looked for before anything is changed; nothing where it is not given. */
  readonly preflight?: { readonly mode: PreflightMode; readonly waitMs: number; readonly images: ImageResolver }
  readonly lockWaitMs: number
  /** Time for the hooks of a Helm chart that come before its workloads. */
  readonly hookTimeoutMs?: number
  /** The kubeconfig's context, for commands that are shown; empty where there is none. */
  readonly context?: string
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly log: Log
  readonly cancelled: AbortSignal
}

type PreflightModule = typeof import('./preflight/preflight.ts')

/** A migration that takes longer is rare, and says so by `timeout`. */
const HOOK_TIMEOUT_MS = 600_000
export class KubernetesPlatform implements Platform {
  readonly #options: KubernetesPlatformOptions
  readonly #records: ReleaseRecords
  readonly #lock: LeaseLock
  readonly #end = new AbortController()
  #steps: readonly Step[] = []
  #target: Target = { steps: [], restores: 0 }
  #known: readonly ReleaseRecord[] = []
  #number = 0
  #content: RecordContent | undefined
  #watch: ReleaseWatch | undefined
  #putBack = false
  /** Steps that delete, as far as they were begun. */
  readonly #deleted = new Set<Step>()
  /** What kept it from being put back may pass: it stays unfinished, for the post step or whoever comes next. */
  #mayYetBePutBack = false
  #trimming: Promise<void> | undefined
  #revision = ''
  /** The content of the record that is taken up, in the post step. */
  #resumed: RecordContent | undefined
  readonly #applied = new Map<string, KubernetesObject>()
  /** StatefulSets whose stuck pods are looked for, by uid, with the generation that they were put back as. */
  readonly #lookedAfter = new Map<string, number>()

  constructor(options: KubernetesPlatformOptions) {
    const { api, namespace, app, env, clock } = options
    this.#options = options
    this.#records = new ReleaseRecords(api, namespace, app)
    this.#lock = new LeaseLock({ api, namespace, app, holder: lockHolder(env), clock })
    concealSecrets(options.intended ?? [], [namespace, app], options.log)
  }

  async lock(): Promise<void> {
    try {
      await this.#lock.acquire(this.#options.lockWaitMs, this.#options.cancelled)
    } catch (error) {
      throw await this.#withMissingRights(error)
    }
  }

  async plan(): Promise<Plan> {
    try {
      return await this.#plan()
    } catch (error) {
      throw await this.#withMissingRights(error)
    }
  }

  async #plan(): Promise<Plan> {
    const looking = this.#loadPreflight()
    const records = this.#records.list()
    ;[this.#known, this.#target] = await Promise.all([records, this.#options.target(records)])
    const { api, namespace, app, log } = this.#options
    const steps = await takeUp(this.#target.steps, this.#unfinished(), {
      api,
      log,
      address: number => this.#records.address(number),
      nameOf: object => this.#nameOf(object),
    })
    concealSecrets(steps, [namespace, app], log)
    for (const { live } of steps) if (live?.metadata.deletionTimestamp != null) throw new BeingDeleted(live)
    const [tried, foreseen] = await Promise.all([
      tryAll(api, steps),
      looking.then(preflight => preflight?.foresee(this.#preflightContext(steps))),
      this.#startWatch(steps),
      concealUsedSecrets(api, steps, namespace, log),
    ])
    this.#steps = tried
    concealSecrets(tried, [namespace, app], log)
    await this.#lookAhead(await looking, foreseen)
    return planOf(this.#steps, {
      live: liveRecord(this.#known),
      takesUpUnfinished: this.#unfinished().length > 0,
      address: number => this.#records.address(number),
      nameOf: object => this.#nameOf(object),
    })
  }

  /** Loaded while the server is asked. */
  async #loadPreflight(): Promise<PreflightModule | undefined> {
    const { preflight } = this.#options
    return preflight === undefined || preflight.mode === 'off' ? undefined : import('./preflight/preflight.ts')
  }

  async #lookAhead(module: PreflightModule | undefined, foreseen: ClusterReads | undefined): Promise<void> {
    const { preflight, log } = this.#options
    if (preflight === undefined || module === undefined) return
    const { mode, waitMs } = preflight
    await module.runPreflight(this.#preflightContext(this.#steps), { mode, waitMs, log, foreseen })
  }

  /** A refusal for lack of rights names all the rights that are missing, not only the first. */
  async #withMissingRights(error: unknown): Promise<unknown> {
    if (!(error instanceof ExpectedFailure) || error.reason !== 'Forbidden' || this.#options.preflight === undefined) return error
    const { explainForbidden } = await import('./preflight/preflight.ts')
    const steps = this.#target.steps.length > 0 ? this.#target.steps : (this.#options.intended ?? [])
    return explainForbidden(this.#preflightContext(steps), error, this.#options.log)
  }

  #preflightContext(steps: readonly Step[]): PreflightContext {
    const { api, namespace, app, env, clock, cancelled: signal, preflight } = this.#options
    return { api, namespace, app, steps, env, clock, signal, ...(preflight === undefined ? {} : { images: preflight.images }) }
  }

  async remember(): Promise<string> {
    await this.#lock.assertHeld()
    const { env } = this.#options
    const content: RecordContent = {
      objects: this.#steps.map(stateOf),
      commit: this.#target.commit ?? env['GITHUB_SHA'] ?? '',
      run: runAddress(env),
      actor: env['GITHUB_ACTOR'] ?? '',
      restores: this.#target.restores,
      ...(this.#target.restoresOriginal === true ? { restoresOriginal: true } : {}),
      previous: liveRecord(this.#known)?.number ?? 0,
      images: imagesOf(this.#steps),
    }
    for (let number = (this.#known[0]?.number ?? 0) + 1; ; number++) {
      const record = await this.#records.create(number, content)
      if (record === undefined) continue
      this.#warnOfInventory(content)
      this.#number = number
      this.#content = content
      // Those that the live release has overtaken are closed too: nobody may ever go back to what was before them.
      const dead = this.#known.filter(({ status }) => status === 'pending')
      const message = `It was never finished; release ${this.#records.address(number)} took it up.`
      for (const { number: old } of dead) await this.#records.update(old, 'failed', message)
      return this.#records.address(number)
    }
  }

  async apply(): Promise<void> {
    const { api, clock } = this.#options
    for (const { steps, awaited } of stagesOf(this.#steps.filter(step => step.action !== 'delete'))) {
      this.#throwIfCancelled()
      await this.#lock.assertHeld()
      await atOnce(steps, async step => {
        const object = await takeStep(api, step, clock)
        this.#took(step, object)
        if (step.action === 'put') this.#unstick(step, object)
      })
      await established(api, clock, steps)
      await withAccounts(api, clock, steps, this.#steps)
      // Why it failed is found out by those who follow, with all that there is to see.
      if (awaited && !(await this.#haveSucceeded(steps))) return
    }
    await this.#delete(step => this.#goesAtOnce(step))
  }

  /** The old version's own objects serve until the new version does. */
  async finish(): Promise<boolean> {
    const deleted = await this.#delete(step => !this.#goesAtOnce(step))
    if (deleted === 0) return false
    const { log } = this.#options
    log.info(
      `Deleted ${deleted === 1 ? 'the object' : `the ${deleted} objects`} that the release no longer holds; everything has to stay well without`,
    )
    return true
  }

  /** @returns how many objects */
  async #delete(which: (step: Step) => boolean): Promise<number> {
    const steps = this.#steps.filter(step => step.action === 'delete' && which(step))
    // What uses others goes before them.
    for (const tier of inOrder(steps).toReversed()) {
      this.#throwIfCancelled()
      await this.#lock.assertHeld()
      await atOnce(tier, async step => {
        this.#deleted.add(step)
        this.#took(step, await takeStep(this.#options.api, step))
      })
    }
    return steps.length
  }

  /** What a release that is taken back has brought along may be what keeps the old version down: a rollback waits for nothing. */
  #goesAtOnce(step: Step): boolean {
    return this.#target.restores !== 0 || this.#target.restoresOriginal === true || goesFirst(step.live ?? step.body)
  }

  /** Waits for what a chart's hook runs. @throws ExpectedFailure Timeout */
  async #haveSucceeded(steps: readonly Step[]): Promise<boolean> {
    const { clock, log, cancelled, hookTimeoutMs = HOOK_TIMEOUT_MS } = this.#options
    const observation = this.#watch?.observe(workloadsOf(steps))
    if (observation === undefined) return true
    try {
      const print = (line: string): void => log.info(line)
      const options = { timeoutMs: hookTimeoutMs, stableForMs: 0, clock, signal: cancelled, print }
      const { end, verdict } = await follow(observation, options)
      this.#throwIfCancelled()
      if (end !== 'timeout') return end === 'healthy'
      const names = steps.map(step => this.#nameOf(step.body)).join(', ')
      throw new ExpectedFailure(
        'Timeout',
        `The chart's hook ${names} did not end within ${hookTimeoutMs / 1_000} s: ${verdict.message}`,
      )
    } finally {
      observation.close()
    }
  }

  async observe(): Promise<Observation> {
    if (this.#watch === undefined) throw new Error('nothing is watched yet')
    const { lost } = this.#lock
    const observation = this.#watch.observe()
    return {
      ...observation,
      judge: () => {
        lost.throwIfAborted()
        return observation.judge()
      },
      subscribe: changed => {
        const unsubscribe = observation.subscribe(changed)
        lost.addEventListener('abort', changed)
        return () => {
          unsubscribe()
          lost.removeEventListener('abort', changed)
        }
      },
    }
  }

  async diagnose(verdict: Verdict): Promise<readonly Culprit[]> {
    if (this.#watch === undefined) return []
    const watch = this.#watch
    const release = this.#steps
      .filter(step => step.action !== 'delete')
      .flatMap((step): readonly Patient[] => {
        const workload = workloadOf(step.body)
        if (workload === undefined) return []
        const position = (container: string | undefined): FilePosition | undefined => positionOfContainer(step, container)
        const record = readRecord([step.body], 'after', '.', this.#wayBack())
        return [{ workload, snapshot: watch.snapshot(workload), position, record }]
      })
    const { api, namespace, log, context = '' } = this.#options
    // Some come with the release, or after it: what is read of them now is blotted out of the logs that are read next.
    await concealUsedSecrets(api, this.#steps, namespace, log).catch(() => undefined)
    return diagnose(api, context, verdict, release)
  }

  async prove(): Promise<Proof> {
    const watch = this.#watch
    if (watch === undefined) return { digests: {}, revision: '' }
    const { api, clock, log, preflight, env, cancelled } = this.#options
    const workloads = workloadsOf(this.#steps).map(workload => ({ workload, snapshot: watch.snapshot(workload) }))
    const found = provenDigests(workloads.map(({ snapshot }) => snapshot))
    const proof: Proof = { digests: found.digests, revision: found.revision }
    this.#revision = found.revision
    try {
      const images = preflight?.images ?? ImageResolver.ofRunner(env, clock, cancelled)
      const served = workloads
        .filter(({ workload }) => servesRequests(workload))
        .map(({ workload, snapshot }) => ({
          namespace: workload.namespace,
          pods: followedKind(workload)?.pods(snapshot) ?? [],
        }))
      const nameOf = (name: string, namespace: string): string =>
        this.#nameOf({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace } })
      const [digests, endpoints] = await Promise.all([judgeDigests(found, images), proveEndpoints(api, served, nameOf, clock)])
      return {
        ...proof,
        proven: [...digests.proven, ...endpoints.proven],
        doubts: [...digests.doubts, ...endpoints.doubts],
      }
    } catch (error) {
      log.debug(`Not all of what runs could be proven: ${messageOf(error)}`)
      return proof
    }
  }

  async restore(): Promise<readonly string[]> {
    await this.#lock.assertHeld()
    if (this.#resumed?.inventory !== undefined)
      throw new ExpectedFailure('NotFound', explainInventoryOnly(this.#records.address(this.#number), this.#resumed), {
        commands: this.#commandsToUndo(this.#steps),
      })
    const failures: { readonly step: Step; readonly error: unknown }[] = []
    const done: string[] = []
    const undo = async (step: Step): Promise<void> => {
      try {
        await this.#lock.assertHeld()
        await this.#tellOfStrangers(step)
        const object = await undoStep(this.#options.api, step)
        this.#took(step, object)
        this.#unstick(step, object)
        if (step.before === undefined) done.push(`removed ${this.#nameOf(step.body)}`)
        else if (object !== undefined) done.push(`put back ${this.#nameOf(step.body)}`)
        else done.push(`${this.#nameOf(step.body)} is gone and was not run again`)
      } catch (error) {
        failures.push({ step, error })
      }
    }
    // Old pods need their old configuration first; what was created goes last, when nothing uses it any more.
    // A namespace that this release created stays: it holds the release's record, and perhaps what others have put there since.
    const touched = this.#steps.filter(
      step =>
        this.#mayHaveTouched(step) &&
        (!isNoChange(step) || isMadeAnew(step) || dropsLastApplied(step) || step.before !== step.live) &&
        !(step.body.kind === 'Namespace' && step.before === undefined),
    )
    for (const tier of inOrder(touched.filter(step => step.before !== undefined))) await atOnce(tier, undo)
    for (const tier of inOrder(touched.filter(step => step.before === undefined)).toReversed()) await atOnce(tier, undo)
    this.#lock.lost.throwIfAborted()
    const unreachable =
      failures.length > 0 && failures.every(({ error }) => error instanceof ExpectedFailure && error.reason === 'Unreachable')
    const onlyLeftovers = touched.some(step => step.before !== undefined) && failures.every(isLeftover)
    if (unreachable || (failures.length > 0 && !onlyLeftovers)) {
      // Out of reach is out of reach: once is enough.
      const told = failures.slice(0, unreachable ? 1 : 5).map(({ error }) => messageOf(error))
      const more = failures.length - told.length
      this.#mayYetBePutBack = failures.some(({ error }) => mayPass(error))
      throw new ExpectedFailure(
        this.#mayYetBePutBack ? 'Unreachable' : 'Conflict',
        `${failures.length} of ${touched.length} objects could not be put back (${told.join('; ')}${more > 0 ? `; and ${more} more` : ''}). Remove the cause, then run the commands in the job summary, which finish it from the Secret ${this.#options.app}.r${this.#number}.`,
        { commands: this.#commandsToUndo(failures.map(({ step }) => step)) },
      )
    }
    for (const { step, error } of failures) {
      const name = this.#nameOf(step.body)
      done.push(`${name} could not be ${step.before === undefined ? 'removed' : 'put back'}`)
      this.#options.log.warning(
        step.before === undefined
          ? `${name} was created by the release that failed, and is still there: ${messageOf(error)} Remove it by hand.`
          : `${name} stays as the release that failed made it, for the API server takes no step back in it: ${messageOf(error)}`,
      )
    }
    this.#putBack = true
    this.#mayYetBePutBack = false
    return done
  }

  /** What the release no longer holds is left alone until the new version is up; of a run that died nobody knows how far it came. */
  #mayHaveTouched(step: Step): boolean {
    return step.action !== 'delete' || this.#deleted.has(step) || step.before !== step.live
  }

  /**
   * The record's content as it is now that the release is up: controllers have completed objects meanwhile (a webhook's certificate, a volume's claim, a
   * field of an operator's), and a rollback to it would take that away again. What could not be read is recorded as it was applied.
   */
  async #contentNow(content: RecordContent): Promise<RecordContent> {
    const found = new Map(this.#applied)
    const completed = this.#steps.filter(step => step.action !== 'delete' && isCompleted(step.body))
    await atOnce(completed, async ({ body }) => {
      const live = await readLive(this.#options.api, body).catch(() => undefined)
      if (live !== undefined) found.set(objectKey(body), live)
    })
    return {
      ...content,
      objects: this.#steps.map(step => finalStateOf(step, found.get(objectKey(step.body)))),
      ...(this.#revision === '' ? {} : { revision: this.#revision }),
    }
  }

  async record(status: ReleaseStatus, message: string): Promise<void> {
    // Whoever has the lock now writes the record too.
    if (this.#number === 0 || this.#lock.lost.aborted) return
    if (status !== 'deployed') {
      if (this.#mayYetBePutBack) return this.#records.update(this.#number, 'pending', message)
      const leftInPlace = status === 'failed' && !this.#putBack
      return this.#records.update(this.#number, status, message, { leftInPlace })
    }
    const content = this.#content === undefined ? undefined : await this.#contentNow(this.#content)
    await this.#records.update(this.#number, status, message, { content })
    const there = this.#known.filter(({ number }) => this.#target.replaces?.includes(number))
    for (const { number } of there)
      await this.#records.update(number, 'rolled-back', `Rolled back by release ${this.#records.address(this.#number)}.`)
    this.#trimming = this.#records.trim().catch(() => undefined)
  }

  async unlock(): Promise<void> {
    this.#end.abort()
    await Promise.all([this.#lock.release(), this.#trimming])
  }

  /**
   * Takes up a release whose run was cancelled or killed before it had ended, so that it can be put back.
   * @returns undefined when it has ended meanwhile, else what a plan says of going back
   */
  async resume(number: number): Promise<Pick<Plan, 'somethingToGoBackTo' | 'previousRelease'> | undefined> {
    this.#known = await this.#records.list()
    const record = await this.#records.get(number, this.#known)
    if (record.status !== 'pending') return undefined
    this.#number = number
    const content = record.content()
    this.#resumed = content
    this.#steps = knownStates(content).map(stepToUndo)
    concealSecrets(this.#steps, [this.#options.namespace, this.#options.app], this.#options.log)
    await this.#startWatch(this.#steps)
    const { previous } = content
    return {
      previousRelease: this.#records.address(previous),
      somethingToGoBackTo: previous !== 0 || inventoryOf(content).some(entry => entry.before && runsPods(entry.reference)),
    }
  }

  #warnOfInventory(content: RecordContent): void {
    const { content: kept, bytes } = fitted(content)
    if (kept.inventory === undefined) return
    this.#options.log.warning(
      `The release's objects take ${Math.round(bytes / 1_024)} KiB compressed, more than the ${LARGEST_BYTES / 1_024} KiB that a release record holds: only their names and images are written down. Should the release fail, this run still puts everything back; a later run, the post step and the rollback action can't. Split the release into several apps.`,
    )
  }

  #commandsToUndo(steps: readonly Step[]): readonly string[] {
    return commandsToUndo(steps, this.#wayBack())
  }

  #wayBack(): WayBack {
    const { context = '', namespace, app } = this.#options
    const content = this.#resumed ?? this.#content
    const hasObjects = content !== undefined && fitted(content).content.inventory === undefined
    return { context, namespace, secret: `${app}.r${this.#number}`, hasObjects }
  }

  /** What somebody else has changed in an object since this release applied it is about to be lost with the release. */
  async #tellOfStrangers(step: Step): Promise<void> {
    const applied = this.#applied.get(objectKey(step.body))
    if (applied === undefined || step.before === undefined || step.action === 'delete') return
    try {
      const live = await readLive(this.#options.api, step.body)
      if (live === undefined || live.metadata.uid !== applied.metadata.uid) return
      const changes = lostChanges(applied, live, asPutBack(step.before, live, step.desired, step.keepReplicas))
      if (changes !== undefined)
        this.#options.log.warning(
          `${this.#nameOf(step.body)} was changed by somebody else while it was being deployed (${changes}): that is put back with the rest.`,
        )
    } catch (error) {
      // It is only for the telling: what cannot be read is not told.
      if (!(error instanceof ExpectedFailure)) throw error
    }
  }

  /** What keeps a restored workload from coming up: a Job that has run is not waited for again, a StatefulSet may need its stuck pods deleted. */
  #unstick(step: Step, object: KubernetesObject | undefined): void {
    const workload = workloadOf(step.body)
    if (workload === undefined || object === undefined) return
    if (runsOnce(object)) this.#watch?.expectAbsence(workload)
    const { uid = '', generation = 0 } = object.metadata
    if (!isStatefulSet(object) || this.#lookedAfter.get(uid) === generation) return
    this.#lookedAfter.set(uid, generation)
    replaceStuckPods({ ...this.#options, signal: this.#end.signal }, object)
  }

  get releaseNumber(): number {
    return this.#number
  }

  /** The release that a killed process of this very step has written down without hearing of it; undefined where there is none. */
  async findLeftBehind(): Promise<number | undefined> {
    if (!(await this.#lock.isOurs())) return undefined
    const run = runAddress(this.#options.env)
    return unfinishedRecords(await this.#records.list()).find(record => record.content().run === run)?.number
  }

  /** Gives back the lock that a killed process of this very step may have left behind. */
  async releaseLeftBehind(): Promise<void> {
    await this.#lock.releaseLeftBehind()
  }

  /** True while the release of that number waits to be finished. Asks without the lock: only what is said under it holds. */
  async isUnfinished(number: number): Promise<boolean> {
    return (await this.#records.get(number)).status === 'pending'
  }

  async #startWatch(steps: readonly Step[]): Promise<void> {
    const { api, clock, namespace, log } = this.#options
    this.#watch = new ReleaseWatch({
      api,
      clock,
      namespace,
      workloads: steps.flatMap(step => workloadOf(step.body) ?? []),
      madeByFailures: this.#madeByFailures().flatMap(reference => workloadOf(reference) ?? []),
      signal: this.#end.signal,
      onTrouble: sentence => log.info(sentence),
    })
    for (const step of steps) {
      const workload = workloadOf(step.body)
      if (workload !== undefined && step.action === 'delete') this.#watch.expectAbsence(workload)
    }
    try {
      await this.#watch.start()
    } catch (error) {
      throw asExpectedFailure(error, "Watching the release's workloads")
    }
  }

  /** What runs that died, and a release that was left in place though it had failed, have made of objects or changed in them. */
  #madeByFailures(): readonly KubernetesObject[] {
    const live = liveRecord(this.#known)
    return [...this.#unfinished(), ...(live?.leftInPlace === true ? [live] : [])]
      .flatMap(record => knownStates(record.content()))
      .filter(({ before, after }) => before === undefined || after === undefined || !sameIntent(before, after))
      .map(({ reference }) => reference)
  }

  /** Records whose run died in the middle, newest first: we have the lock, so nobody is at them any more. */
  #unfinished(): readonly ReleaseRecord[] {
    return unfinishedRecords(this.#known)
  }

  #took(step: Step, object: KubernetesObject | undefined): void {
    const key = objectKey(step.body)
    if (object === undefined) this.#applied.delete(key)
    else this.#applied.set(key, object)
    const workload = workloadOf(step.body)
    if (workload === undefined) return
    const old = step.live?.metadata.uid
    if (old !== undefined && object !== undefined && object.metadata.uid !== old) this.#watch?.forget(workload, old)
    if (object === undefined) this.#watch?.expectAbsence(workload)
    else this.#watch?.expectGeneration(workload, object.metadata.generation ?? 1)
  }

  #nameOf(object: KubernetesObject): string {
    const { namespace } = object.metadata
    return namespace === undefined || namespace === this.#options.namespace
      ? objectName(object)
      : `${objectName(object)} in ${namespace}`
  }

  #throwIfCancelled(): void {
    if (this.#options.cancelled.aborted) throw new ExpectedFailure('Cancelled', 'Cancelled in the middle of the change.')
  }
}

/** What is followed of the steps. */
export function workloadsOf(steps: readonly Step[]): readonly Workload[] {
  return steps.filter(step => step.action !== 'delete').flatMap(step => workloadOf(step.body) ?? [])
}

function workloadOf(object: KubernetesObject): Workload | undefined {
  if (followedKind(object) === undefined) return undefined
  const { apiVersion, kind, metadata } = object
  return { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name }
}

/** Pods of these stand behind Services; a Job's come and go. */
function servesRequests({ kind }: Workload): boolean {
  return kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet'
}

function positionOfContainer(step: Step, container: string | undefined): FilePosition | undefined {
  const image = container === undefined ? undefined : containerImages(step.body).find(own => own.container === container)
  return (image === undefined ? undefined : step.position(image.path)) ?? step.position([])
}

/**
 * What stays and does not keep the old version from serving: what was created and cannot be removed, and a definition with a version that objects are
 * stored in by now (`status.storedVersions`), which the server keeps.
 */
function isLeftover({ step, error }: { readonly step: Step; readonly error: unknown }): boolean {
  if (step.before === undefined) return true
  return step.body.kind === 'CustomResourceDefinition' && error instanceof ExpectedFailure && error.reason === 'InvalidInput'
}
