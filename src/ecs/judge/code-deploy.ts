// What CodeDeploy says of its deployment of a service.
import type { Word } from './service-deployment.ts'

/** As GetDeployment and GetDeploymentTarget have it. */
export interface CodeDeployment {
  readonly id: string
  /** `Created`, `Queued`, `InProgress`, `Baking`, `Succeeded`, `Failed`, `Stopped`, `Ready`. */
  readonly status: string
  /** Of the error: `ALARM_ACTIVE` and the like; empty where there is none. */
  readonly code: string
  readonly message: string
  /** True once all traffic has been shifted and only the old tasks' end is waited for. */
  readonly shifted: boolean
  readonly events: readonly { readonly name: string; readonly status: string }[]
  /** Percent of the production traffic that the new task set gets. */
  readonly traffic: number | undefined
}

/** The old task set is kept for up to two days, to go back to at once: the release is judged when the traffic is its own. */
export function wordOfCodeDeploy({ id, status, code, message, shifted, events, traffic }: CodeDeployment): Word {
  if (status === 'Succeeded' || (shifted && status !== 'Failed' && status !== 'Stopped')) return { phase: 'complete' }
  if (status === 'Failed' || status === 'Stopped') {
    const failed = events.find(event => event.status === 'Failed')
    const where = failed === undefined ? '' : ` in ${failed.name}`
    const why = message === '' ? '' : `: ${message.replace(/\.$/, '')}`
    const reason = code === 'ALARM_ACTIVE' ? 'AlarmTriggered' : code === '' || code === 'MANUAL_STOP' ? 'Stopped' : code
    return {
      phase: 'failed',
      final: true,
      reason,
      message: `CodeDeploy's deployment ${id} ${status === 'Failed' ? 'failed' : 'was stopped'}${where}${why}`,
    }
  }
  const now = events.find(event => event.status === 'InProgress') ?? events.findLast(event => event.status === 'Succeeded')
  const share = traffic === undefined ? '' : `, ${traffic} % of the traffic`
  return {
    phase: 'progressing',
    message: `CodeDeploy's deployment ${id} is ${now === undefined ? status : `at ${now.name}`}${share}`,
  }
}
