// What a judge says of a workload, and of a whole release: pure data.

export type Phase = 'progressing' | 'healthy' | 'failed'

/** A stop on a release's way, at which somebody has to say whether it goes on. */
export interface Pause {
  /** The platform's own name of it, which no other stop of the release has. */
  readonly id: string
  readonly workload: string
  readonly stage: string
}

/** One workload's judgement. */
export interface Judgement {
  /** `deployment/web`, or `deployment/web in shop` outside of the release's own namespace. */
  readonly workload: string
  readonly phase: Phase
  /** The cause in one word of the platform's own: set when failed, and while progressing where something is amiss. */
  readonly reason: string
  /** What is so, or what is waited for, in one sentence. */
  readonly message: string
  /** Where it is so: `pod/web-7d9f container app`. Empty where it is the workload itself. */
  readonly culprit: string
  readonly ready: number
  readonly total: number
  /** The platform's time, in ms, at which the judgement may change though nothing happens: a grace runs out. */
  readonly recheckAt?: number
  /** The platform's time, in ms, before which a healthy judgement proves little: a liveness probe has yet to be asked for the first time. */
  readonly provenAt?: number
  /** Changes whenever something happened that a stable release does not do: a restart, a lost Ready. */
  readonly disturbances: string
  /** Where it is held until somebody says that it may go on. */
  readonly pauses?: readonly Pause[]
}

/** The judgement of all workloads of a release together. */
export interface Verdict {
  readonly phase: Phase
  readonly reason: string
  readonly message: string
  readonly culprit: string
  readonly workloads: readonly Judgement[]
  /** The earliest of the workloads' `recheckAt`. */
  readonly recheckAt?: number
  /** The latest of the workloads' `provenAt`, of a healthy release. */
  readonly provenAt?: number
  /** The workloads' pauses, of a release that is under way. */
  readonly pauses?: readonly Pause[]
}

/** A release fails with its first failed workload, and is healthy when all are. Without workloads it is healthy: there is nothing to wait for. */
export function combine(workloads: readonly Judgement[]): Verdict {
  const failed = workloads.filter(workload => workload.phase === 'failed')
  const first = failed[0]
  const times = workloads.flatMap(workload => (workload.recheckAt === undefined ? [] : [workload.recheckAt]))
  const waiting = workloads.filter(workload => workload.phase === 'progressing')
  if (first !== undefined) {
    const others =
      failed.length > 1
        ? ` (and ${failed.length - 1} more: ${failed
            .slice(1, 4)
            .map(other => other.workload)
            .join(', ')})`
        : ''
    return { phase: 'failed', reason: first.reason, message: first.message + others, culprit: first.culprit, workloads }
  }
  const recheck = times.length === 0 ? {} : { recheckAt: Math.min(...times) }
  if (waiting.length === 0) {
    const proven = workloads.flatMap(workload => (workload.provenAt === undefined ? [] : [workload.provenAt]))
    const provenAt = proven.length === 0 ? {} : { provenAt: Math.max(...proven) }
    return { phase: 'healthy', reason: '', message: readiness(workloads), culprit: '', workloads, ...recheck, ...provenAt }
  }
  const pauses = waiting.flatMap(workload => workload.pauses ?? [])
  const amiss = waiting.find(workload => workload.reason !== '') ?? waiting[0]
  return {
    phase: 'progressing',
    reason: amiss?.reason ?? '',
    message: amiss?.message ?? '',
    culprit: amiss?.culprit ?? '',
    workloads,
    ...recheck,
    ...(pauses.length === 0 ? {} : { pauses }),
  }
}

function readiness(workloads: readonly Judgement[]): string {
  if (workloads.length === 0) return 'nothing in it is waited for'
  return workloads.map(workload => `${workload.workload} ${workload.ready}/${workload.total} ready`).join(', ')
}
