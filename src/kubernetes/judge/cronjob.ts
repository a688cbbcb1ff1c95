// Judges a CronJob: no run of it is waited for, but it is said when none will come. The API refuses a schedule that does not parse.
import type { CronJob } from 'kubernetes-types/batch/v1.js'
import type { Judgement } from '../../deploy/verdict.ts'
import { blank, judgePresence, type Snapshot } from './workload.ts'

export function judgeCronJob(snapshot: Snapshot<CronJob>, now: number): Judgement {
  const base = blank(snapshot.name, 1)
  const presence = judgePresence(snapshot, now, false)
  if (presence !== undefined) return { ...base, ...presence }
  const message = snapshot.object?.spec?.suspend === true ? 'is suspended: it starts no Job until somebody resumes it' : ''
  return { ...base, ready: 1, phase: 'healthy', message }
}
