// Why a pod has ended for good (phase Failed): its container's exit, or what its node says.
import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.js'
import { foreignLine } from '../../runner/foreign-text.ts'
import { exitCodeMeaning, startFault } from './container.ts'
import { latest, list, text, timeOf } from './fields.ts'
import type { PodFinding } from './pod.ts'

/** How a pod ended, or is about to, in failure; undefined of one that has not. */
export function failureOf(pod: Pod): PodFinding | undefined {
  const name = text(pod.metadata?.name)
  const ended = containersOf(pod)
    .map(status => ({ status, end: status.state?.terminated ?? status.lastState?.terminated }))
    .find(({ end }) => end != null && end.exitCode !== 0)
  const reason = foreignLine(text(pod.status?.reason), 60)
  if (ended?.end == null || (pod.status?.phase === 'Failed' && reason !== '')) {
    if (pod.status?.phase !== 'Failed') return undefined
    const said = foreignLine(text(pod.status.message))
    return {
      reason: reason || 'PodFailed',
      message: `ended by its node${said === '' ? '' : `: ${said}`}`,
      doomed: true,
      pod: name,
    }
  }
  const { end, status } = ended
  const found = { doomed: true, pod: name, container: status.name }
  if (end.reason === 'StartError' || end.reason === 'ContainerCannotRun')
    return {
      ...found,
      reason: 'RunContainerError',
      message: `container ${status.name} cannot be started: ${startFault(text(end.message))}`,
    }
  if (end.reason === 'OOMKilled')
    return { ...found, reason: 'OOMKilled', message: `container ${status.name} was killed for want of memory` }
  const message = `container ${status.name} ended with exit code ${end.exitCode}${exitCodeMeaning(end.exitCode)}`
  return { ...found, reason: foreignLine(text(end.reason), 60) || 'Error', message }
}

/** The pods that failed, the last one first. */
export function failures(pods: readonly Pod[]): readonly PodFinding[] {
  return pods
    .map(pod => ({ finding: failureOf(pod), at: endedAt(pod) }))
    .sort((a, b) => b.at - a.at)
    .flatMap(({ finding }) => finding ?? [])
}

const containersOf = (pod: Pod): readonly ContainerStatus[] => [
  ...list(pod.status?.initContainerStatuses),
  ...list(pod.status?.containerStatuses),
]

function endedAt(pod: Pod): number {
  const ends = containersOf(pod).map(status => timeOf((status.state?.terminated ?? status.lastState?.terminated)?.finishedAt))
  return latest([timeOf(pod.metadata?.creationTimestamp), ...ends], 0)
}
