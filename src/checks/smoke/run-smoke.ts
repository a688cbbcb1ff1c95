// Runs the smoke part of a check file: all that can be said against the file first, then the steps, each as soon as what it needs has passed.
import type { CheckFile } from '../check-file/read.ts'
import { TemplateFault } from '../check-file/template.ts'
import { messageOfRun } from '../check-message.ts'
import type { FinishedCheck } from '../check-report.ts'
import { compileStep } from '../kinds/compile.ts'
import { type ClusterRoad, type CompiledStep, StepFault, type Tools } from '../kinds/kind.ts'
import type { CheckContext } from '../part.ts'
import { type CheckRun, runCheck } from '../run-check.ts'
import { type Captured, type CheckResult, NOTHING_SEEN } from '../verdict.ts'
import { type PlannedStep, planSteps } from './plan.ts'
import { createScope } from './scope.ts'

export interface SmokeContext extends CheckContext {
  /** Where addresses such as /health are taken from when the file does not say it. */
  readonly baseUrl?: string | undefined
  /** Opens the road into the cluster, for k8s:// addresses. It is called once, when the first of them is asked. @throws ExpectedFailure */
  readonly cluster?: (() => Promise<ClusterRoad>) | undefined
  /** The old version is asked, after a bad release was put back. */
  readonly restored?: boolean | undefined
  /** For what the file does not say. */
  readonly usual?: Partial<Usual> | undefined
}

/** What an action's own inputs say, and the file may say otherwise. Times in ms. */
export interface Usual {
  readonly timeoutMs: number
  readonly intervalMs: number
  readonly consecutive: number
  readonly onUnreachable: 'failed' | 'inconclusive'
}

export interface SmokeRun {
  readonly result: CheckResult
  readonly checks: readonly StepRun[]
  readonly elapsedMs: number
}

/** A step that ended by its own verdict, or one that did not: what it needs has not passed, or another failure had decided it all. */
export type StepRun =
  | ({ readonly state: 'ended' } & FinishedCheck)
  | { readonly state: 'skipped' | 'unfinished'; readonly name: string; readonly because: string }

const USUAL: Usual = { timeoutMs: 120_000, intervalMs: 2_000, consecutive: 1, onUnreachable: 'failed' }
const LONGEST_INTERVAL_MS = 30_000
const AT_ONCE = 100

/** A file's steps, ready to be asked. */
export interface SmokePlan {
  run(): Promise<SmokeRun>
  readonly count: number
  readonly timeoutMs: number
}

/** @throws ExpectedFailure InvalidInput with all faults of the file that show only now; nothing has been asked by then */
export async function prepareSmoke(file: CheckFile, context: SmokeContext): Promise<SmokePlan> {
  const { smoke } = file.content
  if (smoke === undefined) throw file.failure([{ path: [], message: 'has no smoke part' }])
  const plan = planSteps(smoke.steps)
  if ('faults' in plan) throw file.failure(plan.faults)
  const { steps } = plan
  const { log } = context
  for (const secret of file.variables.secrets) log.mask(secret)
  let road: Promise<ClusterRoad> | undefined
  const cluster = (): Promise<ClusterRoad> => {
    road ??=
      context.cluster?.() ??
      Promise.reject(file.failure([{ path: ['smoke'], message: 'has an address in a cluster, and there is none here' }]))
    return road
  }
  const baseUrl = smoke['base-url'] === undefined ? context.baseUrl : fillOrFail(file, smoke['base-url'], ['smoke', 'base-url'])
  const tools: Tools = {
    file,
    smoke,
    baseUrl,
    workspace: context.workspace,
    env: context.env,
    redact: log.redact,
    mask: log.mask,
    cluster,
    restored: context.restored === true,
  }
  const captures = new Set(steps.flatMap(step => step.captures))
  const scope = createScope(file.variables, new Map())
  const compiled = await Promise.allSettled(
    steps.map(async ({ step, path }) => {
      const ready = await compileStep(step, path, tools, scope, captures)
      if (!usesAny(step, captures)) tryOut(ready, path)
      return ready
    }),
  )
  const faults = compiled.flatMap(each => {
    if (each.status === 'fulfilled') return []
    if (each.reason instanceof StepFault) return [{ path: each.reason.path, message: each.reason.message }]
    throw each.reason
  })
  if (faults.length > 0) throw file.failure(faults)
  const ready = compiled.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  const usual = { ...USUAL, ...context.usual }
  const timeoutMs = smoke.timeout ?? usual.timeoutMs
  return { count: steps.length, timeoutMs, run: () => runSteps({ file, context, steps, ready, usual, timeoutMs }) }

  /** Without captures everything can be filled in now, and what is wrong with it is told before anything is asked. */
  function tryOut(step: CompiledStep, path: readonly PropertyKey[]): void {
    try {
      step.prepare(scope)
    } catch (error) {
      if (error instanceof TemplateFault) throw new StepFault(path, error.message)
      throw error
    }
  }
}

function fillOrFail(file: CheckFile, text: string, path: readonly PropertyKey[]): string {
  try {
    const filled = file.variables.fill(text)
    if (/^(https?|wss?|k8s):\/\/./.test(filled)) return filled
    throw new TemplateFault('must be an address such as https://example.com or k8s://namespace/service:port')
  } catch (error) {
    if (error instanceof TemplateFault) throw file.failure([{ path, message: error.message }])
    throw error
  }
}

function usesAny(value: unknown, names: ReadonlySet<string>): boolean {
  if (typeof value === 'string') return [...value.matchAll(/\$\{\s*([\w.-]+)\s*\}/g)].some(([, name = '']) => names.has(name))
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).some(each => usesAny(each, names))
}

interface Work {
  readonly file: CheckFile
  readonly context: SmokeContext
  readonly steps: readonly PlannedStep[]
  readonly ready: readonly CompiledStep[]
  readonly usual: Usual
  readonly timeoutMs: number
}

async function runSteps({ file, context, steps, ready, usual, timeoutMs }: Work): Promise<SmokeRun> {
  const { clock, log, signal } = context
  const smoke = file.content.smoke
  const startedAt = clock.now()
  const elapsed = (): number => clock.now() - startedAt
  const captured = new Map<string, Captured>()
  const groupStarts = new Map<number, number>()
  const slots = createSlots(smoke?.parallel ?? AT_ONCE)
  const decided = new AbortController()
  const onAbort = (): void => decided.abort()
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  let firstFailed = ''
  const width = Math.min(30, Math.max(...steps.map(step => step.name.length)))

  const runStep = async (index: number): Promise<StepRun> => {
    const { name, step, group } = steps[index] as PlannedStep
    const compiled = ready[index] as CompiledStep
    if (decided.signal.aborted) return { state: 'unfinished', name, because: reasonToStop() }
    const asking: Pick<
      typeof step,
      'timeout' | 'interval' | 'consecutive' | 'failure-limit' | 'on-unreachable' | 'request-timeout'
    > = step
    if (group !== undefined && !groupStarts.has(group.index)) groupStarts.set(group.index, clock.now())
    const leftOfGroup =
      group?.timeoutMs === undefined
        ? Number.POSITIVE_INFINITY
        : (groupStarts.get(group.index) ?? 0) + group.timeoutMs - clock.now()
    const left = Math.min(timeoutMs - elapsed(), leftOfGroup, asking.timeout ?? Number.POSITIVE_INFINITY)
    if (left <= 0) return { state: 'unfinished', name, because: 'the time was over before it could be asked' }
    const print = (line: string): void => log.info(`${name.padEnd(width)}  ${line}`)
    let prepared: ReturnType<CompiledStep['prepare']>
    try {
      prepared = compiled.prepare(createScope(file.variables, captured))
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error
      return { state: 'ended', name, address: name, asked: '', message: `${name} ${error.message}.`, run: unasked(error.message) }
    }
    const { address, asked, ask } = prepared
    let right: ReadonlyMap<string, Captured> | undefined
    const consecutive = asking.consecutive ?? compiled.consecutive ?? smoke?.consecutive ?? usual.consecutive
    const intervalMs = compiled.poll?.intervalMs ?? asking.interval ?? smoke?.interval ?? usual.intervalMs
    const run = await runCheck({
      ask: async (limit, stop) => {
        const attempt = await ask(limit, stop)
        if (attempt.kind === 'answer' && attempt.captured !== undefined) right = attempt.captured
        return attempt
      },
      policy: {
        consecutive,
        failureLimit: asking['failure-limit'] ?? (compiled.changes ? 0 : smoke?.['failure-limit']),
        onUnreachable: asking['on-unreachable'] ?? smoke?.['on-unreachable'] ?? usual.onUnreachable,
      },
      timeoutMs: left,
      intervalMs,
      backOff:
        compiled.poll?.factor === undefined
          ? undefined
          : { factor: compiled.poll.factor, longestMs: compiled.poll.longestMs ?? Math.max(LONGEST_INTERVAL_MS, intervalMs) },
      requestLimitMs: compiled.requestLimitMs ?? asking['request-timeout'] ?? smoke?.['request-timeout'],
      clock,
      signal: decided.signal,
      print,
      countFrom: startedAt,
    })
    if (run.verdict.result === 'cancelled') return { state: 'unfinished', name, because: reasonToStop() }
    if (run.verdict.result === 'passed') for (const [key, value] of right ?? []) captured.set(key, value)
    const message = messageOfRun(run, address, asked, consecutive === 1 ? '' : `, ${consecutive} times in a row`)
    return { state: 'ended', name, address, asked, message, run }
  }
  const reasonToStop = (): string =>
    signal.aborted || firstFailed === '' ? 'the run was cancelled' : `"${firstFailed}" had failed by then`

  const started = new Map<number, Promise<StepRun>>()
  const start = (index: number): Promise<StepRun> => {
    const known = started.get(index)
    if (known !== undefined) return known
    const promise = whenNeedsPassed(index)
    started.set(index, promise)
    return promise
  }
  const whenNeedsPassed = async (index: number): Promise<StepRun> => {
    const { name, needs } = steps[index] as PlannedStep
    const before = await Promise.all(needs.map(start))
    const open = before.find(each => !hasPassed(each))
    if (open !== undefined) return { state: 'skipped', name, because: `"${open.name}", which it needs, has not passed` }
    const ended = await slots(() => runStep(index))
    if (
      ended.state === 'ended' &&
      ended.run.verdict.result === 'failed' &&
      smoke?.['fail-fast'] !== false &&
      !decided.signal.aborted
    ) {
      firstFailed = name
      decided.abort()
    }
    return ended
  }
  try {
    const checks = await Promise.all(steps.map((_, index) => start(index)))
    return { result: resultOf(checks, signal.aborted), checks, elapsedMs: elapsed() }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function hasPassed(step: StepRun): boolean {
  return step.state === 'ended' && step.run.verdict.result === 'passed'
}

/** Failed when one has; then, where all could be asked, passed or inconclusive. That the time was over before a step's turn fails the whole. */
function resultOf(checks: readonly StepRun[], cancelled: boolean): CheckResult {
  const results = checks.flatMap(check => (check.state === 'ended' ? [check.run.verdict.result] : []))
  if (results.includes('failed')) return 'failed'
  if (cancelled) return 'cancelled'
  if (checks.some(check => check.state === 'unfinished')) return 'failed'
  return results.every(result => result === 'passed') ? 'passed' : 'inconclusive'
}

/** A check whose question could not be put together from what was captured. */
function unasked(because: string): CheckRun {
  const verdict = { result: 'failed', reason: 'WrongCapture', because } as const
  return { verdict, tally: NOTHING_SEEN, stretches: [], elapsedMs: 0, p95Ms: undefined, times: [] }
}

/** Runs so many at once, the others in the order in which they came. */
function createSlots(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = most
  const waiting: (() => void)[] = []
  return async work => {
    if (free > 0) free--
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
