// How many pods of a template there are before, while and after the release: what a quota must have room for.
import { at, type PodTemplate, recordAt } from './pod-templates.ts'

export interface Growth {
  /** Pods of the old template that are there now. */
  readonly before: number
  /** Pods of the new template that there will be. */
  readonly after: number
  /** How many old ones may go before the first new one must come; all of them where the old ones go first. */
  readonly mayGoFirst: number
  /** How many pods there may be beyond the wanted number while old ones are replaced. */
  readonly surge: number
}

/** Undefined where the number of pods isn't in the object: a DaemonSet's is the number of nodes, a CronJob's is none now. */
export function growthOf(template: PodTemplate): Growth | undefined {
  const { object, step } = template
  const spec = recordAt(object, ['spec']) ?? {}
  const live = recordAt(step.live, ['spec'])
  // As many as there really are: of a workload that never got all of its pods, fewer than it wants.
  const now = countOf(recordAt(step.live, ['status'])?.['replicas'] ?? live?.['replicas'])
  switch (object.kind) {
    case 'Deployment': {
      const [before, after] = [live === undefined ? 0 : now, countOf(spec['replicas'])]
      const rolling = recordAt(spec, ['strategy', 'rollingUpdate'])
      if (at(spec, ['strategy', 'type']) === 'Recreate') return { before, after, mayGoFirst: before, surge: 0 }
      let surge = shareOf(rolling?.['maxSurge'] ?? '25%', after, Math.ceil)
      let gone = shareOf(rolling?.['maxUnavailable'] ?? '25%', after, Math.floor)
      // Both may not be nothing: Kubernetes then takes one pod away (Deployment API, maxUnavailable).
      if (surge === 0 && gone === 0) gone = 1
      if (!template.changed) [surge, gone] = [0, 0]
      return { before, after, mayGoFirst: Math.min(before, gone + Math.max(0, before - after)), surge }
    }
    case 'StatefulSet': {
      const [before, after] = [live === undefined ? 0 : now, countOf(spec['replicas'])]
      return { before, after, mayGoFirst: before, surge: 0 }
    }
    case 'ReplicaSet':
    case 'ReplicationController': {
      const [before, after] = [live === undefined ? 0 : now, countOf(spec['replicas'])]
      return { before, after, mayGoFirst: 0, surge: 0 }
    }
    case 'Job': {
      const parallel = Math.min(countOf(spec['parallelism']), countOf(spec['completions'] ?? spec['parallelism']))
      return { before: 0, after: parallel, mayGoFirst: 0, surge: 0 }
    }
    case 'Pod':
      return { before: step.live === undefined ? 0 : 1, after: 1, mayGoFirst: 1, surge: 0 }
    default:
      return undefined
  }
}

function countOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 1
}

function shareOf(value: unknown, of: number, round: (value: number) => number): number {
  if (typeof value === 'number') return Math.max(0, value)
  const percent = typeof value === 'string' ? /^(\d+)%$/.exec(value)?.[1] : undefined
  return percent === undefined ? 0 : round((Number(percent) / 100) * of)
}
