// What a release will change, from steps that the server has tried: what the plan tells, and what the report shows.
import type { Change, ImageChange, Plan } from '../deploy/platform.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { changeOf, diffOf } from './change.ts'
import { containerImages } from './images.ts'
import { runsPods } from './judge/kinds.ts'
import type { KubernetesObject } from './objects.ts'
import type { ReleaseRecord } from './release-record.ts'
import { isMadeAnew, type Step } from './steps.ts'

/** The diff becomes an output (GitHub takes 1 MiB for all of a job's) and a part of the report: what is longer helps nobody. */
const DIFF_LIMIT = 200_000

export interface PlanContext {
  /** The release that is live now. */
  readonly live: ReleaseRecord | undefined
  readonly takesUpUnfinished: boolean
  readonly address: (number: number) => string
  readonly nameOf: (object: KubernetesObject) => string
}

export function planOf(steps: readonly Step[], { live, takesUpUnfinished, address, nameOf }: PlanContext): Plan {
  const workloads = steps.filter(({ body }) => runsPods(body))
  const diffs = steps.map(step => diffOf(step.live, toBe(step)))
  return {
    changes: steps.map(step => ({ ...changeBy(step), object: nameOf(step.body) })),
    images: steps.flatMap(step => imageChanges(step, nameOf)),
    previousRelease: address(live?.number ?? 0),
    previousCommit: commitOf(live),
    takesUpUnfinished,
    somethingToGoBackTo: live !== undefined || (workloads.length > 0 ? workloads : steps).some(step => step.before !== undefined),
    diff: cut(diffs.filter(text => text !== '').join('\n')),
  }
}

/** As it will be: the server has tried all but what is new and needs what comes with it. */
function toBe({ action, live, desired, body }: Step): KubernetesObject | undefined {
  if (action === 'delete') return undefined
  return live === undefined ? body : (desired ?? body)
}

function changeBy(step: Step): Omit<Change, 'object'> {
  const change = changeOf(step.live, step.action === 'delete' ? undefined : (step.desired ?? step.body))
  if (!isMadeAnew(step) || change.action === 'none') return change
  return { ...change, details: ['deleted and made anew', ...change.details] }
}

function imageChanges(step: Step, nameOf: PlanContext['nameOf']): readonly ImageChange[] {
  if (step.action === 'delete') return []
  const before = new Map(
    step.live === undefined ? [] : containerImages(step.live).map(({ container, image }) => [container, image]),
  )
  return containerImages(step.desired ?? step.body)
    .filter(({ container, image }) => before.get(container) !== image)
    .map(({ container, image }) => ({
      workload: nameOf(step.body),
      container,
      from: before.get(container) ?? '',
      to: image,
    }))
}

/** Of a record that is damaged nothing is known, which is no reason not to deploy. */
function commitOf(record: ReleaseRecord | undefined): string {
  try {
    return record?.content().commit ?? ''
  } catch (error) {
    if (error instanceof ExpectedFailure) return ''
    throw error
  }
}

function cut(diff: string): string {
  return diff.length <= DIFF_LIMIT ? diff : `${diff.slice(0, DIFF_LIMIT)}\n(${diff.length - DIFF_LIMIT} more characters)\n`
}
