// The failure found before anything changes: all checks at once, what may yet arrive waited for, every finding told in one go.
import { setMaxListeners } from 'node:events'
import { sleep } from '../../deploy/clock.ts'
import { formatDuration } from '../../runner/duration.ts'
import { ExpectedFailure } from '../../runner/failure.ts'
import type { Log } from '../../runner/log.ts'
import { ImageResolver } from '../image-digests.ts'
import { isNoChange } from '../steps.ts'
import { checkAdmission } from './admission.ts'
import { checkClaims } from './claims.ts'
import { ClusterReads } from './cluster-reads.ts'
import type { PreflightCheck, PreflightContext, PreflightFinding, PreflightResult } from './finding.ts'
import { checkImages } from './image-pulls.ts'
import { checkLimitRanges } from './limit-ranges.ts'
import { checkNodes } from './nodes.ts'
import { checkPermissions } from './permissions.ts'
import { checkPlatforms } from './platforms.ts'
import { accountOf, podTemplates } from './pod-templates.ts'
import { checkQuotas } from './quotas.ts'
import { checkReferences } from './references.ts'
import { checkServices } from './services.ts'

export type { PreflightCheck, PreflightContext, PreflightFinding, PreflightResult } from './finding.ts'

export type PreflightMode = 'on' | 'warn' | 'off'

export interface PreflightOptions {
  readonly mode: PreflightMode
  /** How long what may yet arrive is waited for, in ms. */
  readonly waitMs: number
  readonly log: Pick<Log, 'info' | 'warning' | 'group'>
  /** What `foresee` has asked for. */
  readonly foreseen?: ClusterReads | undefined
}

/** In the order in which their findings are told. */
export const ALL_CHECKS: readonly PreflightCheck[] = [
  checkPermissions,
  checkImages,
  checkReferences,
  checkClaims,
  checkLimitRanges,
  checkQuotas,
  checkNodes,
  checkServices,
  checkAdmission,
  checkPlatforms,
]

const LOOK_AGAIN_MS = 1_000

/** Asks for what the checks will read, while the server still tries the release's objects. Nothing of it fails before a check needs it. */
export function foresee({ api, steps, namespace, signal }: PreflightContext): ClusterReads {
  const reads = new ClusterReads(api, manyListeners(signal))
  const templates = podTemplates(steps, namespace).filter(template => template.makesPods && template.plain)
  for (const [within, those] of Map.groupBy(templates, template => template.namespace))
    reads.foresee(within, new Set(those.map(({ spec }) => accountOf(spec))))
  return reads
}

/**
 * @throws ExpectedFailure with all findings: at once where one of them cannot heal, else after `waitMs`. In the mode `warn` they are warnings, and
 * nothing is waited for.
 */
export async function runPreflight(
  context: PreflightContext,
  { mode, waitMs, log, foreseen }: PreflightOptions,
  checks: readonly PreflightCheck[] = ALL_CHECKS,
): Promise<void> {
  // A release that changes nothing makes no pods, and fails for nothing that was not so before.
  if (mode === 'off' || context.steps.every(isNoChange)) return
  const { api, clock, env } = context
  const signal = manyListeners(context.signal)
  const images = context.images ?? ImageResolver.ofRunner(env, clock, signal)
  const deadline = clock.now() + waitMs
  const said = new Set<string>()
  const results = new Map<PreflightCheck, PreflightResult>()
  let due = checks
  for (let round = 1; ; round++) {
    const reads = round === 1 && foreseen !== undefined ? foreseen : new ClusterReads(api, signal)
    const found = await Promise.all(due.map(check => check({ ...context, signal, reads, images })))
    throwIfCancelled(signal)
    for (const [index, check] of due.entries()) results.set(check, found[index] ?? NOTHING)
    for (const sentence of [...found.flatMap(({ passedOver }) => passedOver), ...reads.unreadable()]) {
      if (!said.has(sentence)) log.info(sentence)
      said.add(sentence)
    }
    for (const { message, at } of found.flatMap(({ warnings = [] }) => warnings)) {
      if (!said.has(message)) log.warning(message, 'Preflight', at)
      said.add(message)
    }
    const findings = checks.flatMap(check => results.get(check)?.findings ?? [])
    if (findings.length === 0) {
      if (round > 1) log.info('All that the release needs is there now.')
      return
    }
    const left = deadline - clock.now()
    const hopeless = findings.some(finding => !finding.mayYetArrive) || left <= 0
    if (mode === 'warn' || hopeless) {
      for (const { help } of results.values()) if (help !== undefined) log.group(help.title, help.lines)
      if (mode !== 'warn') throw failureOf(findings, waitMs)
      for (const { message, reason, at } of findings) log.warning(message, `Preflight: ${reason}`, at)
      return
    }
    if (round === 1) {
      const more = findings.length === 1 ? '' : ` (and ${findings.length - 1} more)`
      log.info(`Not there yet, waiting up to ${formatDuration(waitMs)}: ${findings[0]?.message ?? ''}${more}`)
    }
    // Only what was missing is looked at again.
    due = checks.filter(check => (results.get(check)?.findings.length ?? 0) > 0)
    await sleep(clock, Math.min(LOOK_AGAIN_MS, left), signal)
    throwIfCancelled(signal)
  }
}

/**
 * What to throw where the cluster has just refused something before the checks could run (a read, the lock): all the rights that are missing instead
 * of the first one. Anything but a refusal comes back as it is, and so does one that no missing right explains.
 */
export async function explainForbidden(context: PreflightContext, error: unknown, log: Pick<Log, 'group'>): Promise<unknown> {
  if (!(error instanceof ExpectedFailure) || error.reason !== 'Forbidden') return error
  const { api, signal } = context
  const images = context.images ?? new ImageResolver({ credentials: async () => undefined })
  const check = checkPermissions({ ...context, images, reads: new ClusterReads(api, signal) })
  const { findings, help } = await check.catch(() => NOTHING)
  if (findings.length === 0) return error
  if (help !== undefined) log.group(help.title, help.lines)
  return failureOf(findings, 0)
}

const NOTHING: PreflightResult = { findings: [], passedOver: [] }

/** Many requests listen to it at the same time, which is no leak. */
function manyListeners(signal: AbortSignal): AbortSignal {
  const own = AbortSignal.any([signal])
  setMaxListeners(0, own)
  return own
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new ExpectedFailure('Cancelled', 'Cancelled before anything was changed.')
}

function failureOf(findings: readonly PreflightFinding[], waitMs: number): ExpectedFailure {
  // What cannot heal is the reason why it is not waited for the rest.
  const [first, ...others] = findings.toSorted((a, b) => Number(a.mayYetArrive) - Number(b.mayYetArrive))
  if (first === undefined) throw new Error('a failure needs a finding')
  const waited = first.mayYetArrive && waitMs > 0 ? ` It was waited for ${formatDuration(waitMs)}.` : ''
  const more =
    others.length === 0 ? '' : ` There ${others.length === 1 ? 'is 1 more finding' : `are ${others.length} more findings`}.`
  return new ExpectedFailure(first.reason, `${first.message}${waited}${more} Nothing was changed.`, {
    ...(first.at === undefined ? {} : { at: first.at }),
    also: others.map(({ reason, message, at }) => ({
      message: `${reason}: ${message}`,
      ...(at === undefined ? {} : { at }),
    })),
  })
}
