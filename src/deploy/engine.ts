// The engine: lock, plan, remember, apply, follow, prove, record; or put back, follow, record. A rollback is a deployment of an older release.
import { formatDuration } from '../runner/duration.ts'
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { afterRestore, type Checked, type CheckOptions, checkLive, isRefused, standing } from './check.ts'
import { type Clock, sleep } from './clock.ts'
import { type Followed, follow, type Observation, type TimelineEntry } from './follow.ts'
import type { Culprit, Plan, Platform, Proof, ReleaseStatus } from './platform.ts'
import { AnsweredStages } from './stages.ts'
import type { Verdict } from './verdict.ts'

export interface DeployOptions extends CheckOptions {
  readonly timeoutMs: number
  readonly stableForMs: number
  readonly onFailure: 'rollback' | 'keep'
  readonly firstDeploy: 'allow' | 'fail'
  readonly dryRun: boolean
  readonly clock: Clock
  readonly log: Log
  /** The user's cancel: what is under way is put back. */
  readonly cancelled: AbortSignal
  /** The end is near: even the putting back stops waiting. The post step goes on with it. */
  readonly ending: AbortSignal
  /** Called once a record exists that a later process can take up. */
  readonly onRemembered?: (release: string) => void
  /** What becomes of a release that its checks refuse; as `onFailure` where nothing is said. */
  readonly onCheckFailure?: 'rollback' | 'keep'
}

/** Everything there is to say of a run, for the outputs and the report. */
export interface DeployReport {
  readonly result: 'deployed' | 'unchanged' | 'rolled-back' | 'failed' | 'cancelled'
  readonly reason: string
  readonly message: string
  readonly release: string
  readonly previousRelease: string
  readonly plan: Plan
  readonly verdict: Verdict | undefined
  readonly culprits: readonly Culprit[]
  readonly timeline: readonly TimelineEntry[]
  readonly proof: Proof | undefined
  /** What was put back, where something was. */
  readonly restored: readonly string[]
  /** Where putting back failed: the commands that would finish it. */
  readonly remedies: readonly string[]
  readonly dryRun: boolean
  /** What was checked, in its order: the new release at its stages and when it was up, and the old one after it was put back. */
  readonly checks: readonly Checked[]
  /** True where a cancelled run could not wait for the old version: the post step has to. */
  readonly unfinished: boolean
}

/**
 * Deploys, and leaves the last version serving when that fails.
 * @throws ExpectedFailure when nothing was changed: wrong manifests, no rights, locked, unreachable
 */
export async function deploy(platform: Platform, options: DeployOptions): Promise<DeployReport> {
  if (!options.dryRun) await platform.lock()
  try {
    return await deployLocked(platform, options)
  } finally {
    if (!options.dryRun) await unlock(platform, options)
  }
}

/** A lock that cannot be given back runs out by itself; what was done is as true as before. */
async function unlock(platform: Platform, { log }: DeployOptions): Promise<void> {
  try {
    await platform.unlock()
  } catch (error) {
    log.warning(`The lock could not be given back, the next deployment may have to wait until it runs out: ${messageOf(error)}`)
  }
}

/** Writes the end down. That this fails changes nothing of the end: it is added to the message, which is returned. */
async function record(platform: Platform, { log }: DeployOptions, status: ReleaseStatus, message: string): Promise<string> {
  try {
    await platform.record(status, message)
    return message
  } catch (error) {
    const more = `That could not be written into the release record: ${sentence(messageOf(error))}`
    log.warning(more)
    return `${message} ${more}`
  }
}

async function deployLocked(platform: Platform, options: DeployOptions): Promise<DeployReport> {
  const plan = await platform.plan()
  const report: DeployReport = {
    result: 'unchanged',
    reason: '',
    message: '',
    release: plan.previousRelease,
    previousRelease: plan.previousRelease,
    plan,
    verdict: undefined,
    culprits: [],
    timeline: [],
    proof: undefined,
    restored: [],
    remedies: [],
    dryRun: options.dryRun,
    checks: [],
    unfinished: false,
  }
  const changed = plan.changes.filter(change => change.action !== 'none')
  for (const change of changed)
    options.log.info(`${change.action} ${change.object}${change.details.length === 0 ? '' : `: ${change.details.join('; ')}`}`)
  if (options.dryRun) {
    return {
      ...report,
      message: `Dry run, nothing was changed: it would ${changed.length === 0 ? 'change nothing' : countOf(plan)}.`,
    }
  }
  if (!plan.somethingToGoBackTo && options.firstDeploy === 'fail') {
    throw new ExpectedFailure(
      'NotFound',
      'Nothing of this app is live yet and first-deploy is "fail"; nothing was changed. Set first-deploy to allow for the first one.',
    )
  }
  if (options.cancelled.aborted) throw new ExpectedFailure('Cancelled', 'Cancelled before anything was changed.')
  if (changed.length === 0 && !plan.takesUpUnfinished) return followUnchanged(platform, options, report)

  const release = await platform.remember()
  options.onRemembered?.(release)
  options.log.info(`Release ${release}`)
  return followChanged(platform, options, { ...report, release })
}

/** Nothing to change: what is live is judged all the same, so that an unhealthy release is not called green. */
async function followUnchanged(platform: Platform, options: DeployOptions, report: DeployReport): Promise<DeployReport> {
  const observation = await platform.observe()
  try {
    const followed = await follow(observation, { ...loop(options), stableForMs: 0, signal: options.cancelled })
    const common = { ...report, verdict: followed.verdict, timeline: followed.timeline }
    if (followed.end === 'healthy') {
      const message = `Unchanged: this release is live already and healthy (${followed.verdict.message}).`
      const proof = await proven(platform, options)
      const checked = await checkLive(options, 'new')
      return { ...common, ...standing({ result: 'unchanged', message }, checked, options), proof }
    }
    const failure = failureOf(followed, options)
    if (followed.end === 'cancelled')
      return { ...common, ...failure, message: `${failure.message} Nothing was changed.`, result: 'cancelled' }
    const message = `Nothing was changed, but what is live is not healthy: ${failure.message}`
    return {
      ...common,
      ...failure,
      message,
      result: 'failed',
      culprits: await platform.diagnose(followed.verdict),
    }
  } finally {
    observation.close()
  }
}

async function followChanged(platform: Platform, options: DeployOptions, report: DeployReport): Promise<DeployReport> {
  let followed: Followed | undefined
  let failure: { reason: string; message: string }
  let culprits: readonly Culprit[] = []
  let checked: Checked | undefined
  let atStages: readonly Checked[] = []
  try {
    await platform.apply()
    const observation = new AnsweredStages(await platform.observe(), platform, options)
    try {
      const look = { ...loop(options), signal: options.cancelled }
      followed = await follow(observation, look)
      if (followed.end === 'healthy' && (await platform.finish?.()) === true)
        followed = joined(followed, await follow(observation, look))
      atStages = observation.checks
      if (followed.end === 'failed') checked = observation.refusal
      if (followed.end === 'healthy') {
        const proof = await proven(platform, options)
        const stable = options.stableForMs === 0 ? '' : ` and stable for ${formatDuration(options.stableForMs)}`
        const message = `Deployed${stable}: ${followed.verdict.message}.`
        checked = await checkLive(options, 'new')
        if (!isRefused(checked)) {
          let told = await record(platform, options, 'deployed', message)
          if (checked?.result === 'passed') told = await record(platform, options, 'verified', told)
          const ended = standing({ result: 'deployed', message: told }, checked, options)
          const checks = [...atStages, ...ended.checks]
          return { ...report, ...ended, checks, verdict: followed.verdict, timeline: followed.timeline, proof }
        }
      }
      failure = isRefused(checked) ? failureOfCheck(checked) : failureOf(followed, options)
      if (isRefused(checked)) options.log.info(`Refused by its checks: ${failure.message}`)
      else if (followed.end !== 'cancelled') {
        options.log.info(`Failed after ${formatDuration(followed.elapsedMs)}: ${failure.message}`)
        culprits = await platform.diagnose(followed.verdict)
        for (const culprit of culprits) options.log.group(`${culprit.where}: ${culprit.reason}`, evidence(culprit))
        failure = { ...failure, message: failure.message + lastWords(culprits) }
      }
    } finally {
      observation.close()
    }
  } catch (error) {
    // Whatever broke in the middle of the change, the change is put back; a bug is still told apart by its reason.
    failure =
      error instanceof ExpectedFailure
        ? { reason: error.reason, message: sentence(error.message) }
        : { reason: 'InternalError', message: bug(error) }
  }
  const checks = [...atStages, ...(checked === undefined ? [] : [checked])]
  const seen = { verdict: followed?.verdict, culprits, timeline: followed?.timeline ?? [] }
  const common = { ...report, ...seen, reason: failure.reason, checks }
  const cancelled = failure.reason === 'Cancelled'
  const onFailure = checked?.result === 'failed' ? (options.onCheckFailure ?? options.onFailure) : options.onFailure
  if (onFailure === 'keep') {
    const message = `${failure.message} It was left as it is${options.onFailure === 'keep' ? ', for on-failure is "keep"' : ''}.`
    const told = await record(platform, options, 'failed', message)
    return { ...common, result: cancelled ? 'cancelled' : 'failed', message: told }
  }
  const put = await putBack(platform, options, failure, report.plan)
  return { ...common, ...put, checks: [...checks, ...put.checks] }
}

function joined(first: Followed, { timeline, elapsedMs, ...second }: Followed): Followed {
  const later = timeline.map(entry => ({ ...entry, from: entry.from + first.elapsedMs, to: entry.to + first.elapsedMs }))
  return { ...second, timeline: [...first.timeline, ...later], elapsedMs: first.elapsedMs + elapsedMs }
}

function failureOfCheck({ result, reason, message }: Checked): { reason: string; message: string } {
  if (result === 'cancelled') return { reason: 'Cancelled', message: 'Cancelled while it was being checked.' }
  return { reason, message: sentence(message) }
}

/** Not to be reached is no refusal: as long as there is time, the old version is worth another try. */
async function restoreWhenReachable(
  platform: Platform,
  { clock, timeoutMs, ending, log }: DeployOptions,
): Promise<readonly string[]> {
  const deadline = clock.now() + timeoutMs
  for (let told = ''; ; ) {
    try {
      return await platform.restore()
    } catch (error) {
      if (!isFailure(error, 'Unreachable') || clock.now() >= deadline || ending.aborted) throw error
      if (error.message !== told) log.info(`Not put back yet, it is tried again: ${error.message}`)
      told = error.message
      await sleep(clock, RESTORE_AGAIN_MS, ending)
    }
  }
}

const RESTORE_AGAIN_MS = 2_000

function isFailure(error: unknown, reason: string): error is ExpectedFailure {
  return error instanceof ExpectedFailure && error.reason === reason
}

type PutBack = Pick<DeployReport, 'result' | 'message' | 'restored' | 'remedies' | 'checks' | 'unfinished'>

/** Asks for the proof, and says where it falls short. */
async function proven(platform: Platform, { log }: DeployOptions): Promise<Proof> {
  const proof = await platform.prove()
  for (const doubt of proof.doubts ?? []) log.warning(doubt)
  return proof
}

/** Puts everything back, waits with the same judge until the old version is healthy, and says how far it came. */
export async function putBack(
  platform: Platform,
  options: DeployOptions,
  failure: { readonly reason: string; readonly message: string },
  plan: Pick<Plan, 'somethingToGoBackTo' | 'previousRelease'>,
): Promise<PutBack> {
  const cancelled = failure.reason === 'Cancelled'
  const old = plan.previousRelease === '' ? 'what was live before' : plan.previousRelease
  options.log.info(plan.somethingToGoBackTo ? `Putting back ${old}` : 'Removing what was created: there was nothing before it')
  const ended = async (status: 'rolled-back' | 'failed', message: string, what: readonly string[]): Promise<PutBack> => {
    const told = await record(platform, options, status, message)
    const result = cancelled ? 'cancelled' : status
    return { result, message: told, restored: what, remedies: [], checks: [], unfinished: false }
  }
  let restored: readonly string[]
  try {
    restored = await restoreWhenReachable(platform, options)
  } catch (error) {
    // Who has lost the lock must not put back either, and what somebody else has deployed over it is not ours to undo.
    if (isFailure(error, 'Locked') || isFailure(error, 'Superseded'))
      return ended('failed', failure.reason === 'Locked' ? error.message : `${failure.message} ${error.message}`, [])
    const why = error instanceof ExpectedFailure ? error.message : bug(error)
    const message = `PUTTING BACK FAILED, the bad release may be serving: ${why} It began with: ${failure.message}`
    const remedies = error instanceof ExpectedFailure ? error.commands : []
    if (remedies.length > 0) options.log.group('Commands that would put it back', remedies)
    // By the time of the post step the platform may be there again.
    return { ...(await ended('failed', message, [])), remedies, unfinished: isFailure(error, 'Unreachable') }
  }
  if (!plan.somethingToGoBackTo) {
    const message = `${failure.message} It was the first release, so there was nothing to go back to: what it had created was removed.`
    return ended('failed', message, restored)
  }
  let observation: Observation | undefined
  try {
    observation = new AnsweredStages(await platform.observe(), platform, options, 'restored')
    const followed = await follow(observation, {
      ...loop(options),
      stableForMs: Math.min(options.stableForMs, RESTORED_STABLE_MS),
      signal: options.ending,
    })
    if (followed.end === 'healthy') {
      // A cancelled run has no time for it.
      const checked = cancelled ? undefined : await checkLive(options, 'restored')
      const message = `${failure.message} ${old} was put back and is healthy.${afterRestore(checked)}`
      return { ...(await ended('rolled-back', message, restored)), checks: checked === undefined ? [] : [checked] }
    }
    if (followed.end === 'cancelled') {
      return {
        result: 'cancelled',
        message: `${failure.message} ${old} was put back; whether it is healthy is waited for in the post step.`,
        restored,
        remedies: [],
        checks: [],
        unfinished: true,
      }
    }
    const message = `${failure.message} ${old} was put back, BUT IT IS NOT HEALTHY: ${failureOf(followed, options).message}`
    return ended('failed', message, restored)
  } catch (error) {
    const why = error instanceof ExpectedFailure ? sentence(error.message) : bug(error)
    return ended('failed', `${failure.message} ${old} was put back, BUT WHETHER IT IS HEALTHY IS NOT KNOWN: ${why}`, restored)
  } finally {
    observation?.close()
  }
}

/** The old version has proven itself before; a short look is enough that it came back up. */
const RESTORED_STABLE_MS = 2_000

function loop(options: DeployOptions): { timeoutMs: number; stableForMs: number; clock: Clock; print: (line: string) => void } {
  return {
    timeoutMs: options.timeoutMs,
    stableForMs: options.stableForMs,
    clock: options.clock,
    print: line => options.log.info(line),
  }
}

function failureOf(followed: Followed, options: DeployOptions): { reason: string; message: string } {
  const { verdict } = followed
  if (followed.end === 'cancelled')
    return { reason: 'Cancelled', message: `Cancelled after ${formatDuration(followed.elapsedMs)}.` }
  if (followed.end === 'timeout') {
    const besides = followed.waitsMs === 0 ? '' : ` besides the ${formatDuration(followed.waitsMs)} that were to be waited for`
    const waiting = verdict.phase === 'healthy' ? 'everything was ready, but not yet stable for long enough' : verdict.message
    return {
      reason: verdict.reason === '' ? 'Timeout' : verdict.reason,
      message: sentence(`The timeout of ${formatDuration(options.timeoutMs)}${besides} is over: ${waiting}`),
    }
  }
  return { reason: verdict.reason, message: sentence(verdict.message) }
}

/** The text with a full stop: a platform's own words may have one already. */
const sentence = (text: string): string => `${text.replace(/[\s.]+$/, '')}.`

const bug = (error: unknown): string => `This is a bug in deploy-actions, please report it: ${sentence(messageOf(error))}`

function evidence(culprit: Culprit): string[] {
  return [
    culprit.facts.map(([name, value]) => `${name}: ${value}`).join(', '),
    ...culprit.logs.flatMap(log => [`${log.title}:`, ...log.lines.map(line => `  ${line}`)]),
    ...(culprit.events.length === 0 ? [] : ['Events:', ...culprit.events.map(event => `  ${event}`)]),
    ...culprit.commands.map(command => `Look further: ${command}`),
  ].filter(line => line !== '')
}

/** The last line that the culprit itself wrote often is the cause. */
function lastWords(culprits: readonly Culprit[]): string {
  const line = culprits[0]?.logs.find(log => log.lines.length > 0)?.lines.at(-1)
  return line === undefined ? '' : ` Its log ends with "${foreignLine(line, 200)}".`
}

function countOf(plan: Plan): string {
  const counts = (['create', 'change', 'delete'] as const)
    .map(action => ({ action, count: plan.changes.filter(change => change.action === action).length }))
    .filter(({ count }) => count > 0)
    .map(({ action, count }) => `${action} ${count} ${count === 1 ? 'object' : 'objects'}`)
  return counts.join(', ')
}
