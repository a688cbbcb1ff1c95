// What runs that died in the middle have left, as steps of the release that comes next.
import type { Log } from '../runner/log.ts'
import type { KubernetesApi } from './api.ts'
import { type KubernetesObject, objectKey } from './objects.ts'
import { stepToUndo } from './recorded-steps.ts'
import { knownStates, type ObjectState, type ReleaseRecord } from './release-record.ts'
import { readLive, type Step } from './steps.ts'
import { holdsWhatOthersPut } from './targets.ts'

export interface TakeUpContext {
  readonly api: KubernetesApi
  readonly log: Pick<Log, 'info' | 'warning'>
  readonly address: (number: number) => string
  readonly nameOf: (object: KubernetesObject) => string
}

/**
 * What dead runs had changed goes back, should this release fail, to how it was before them; and what this release does not touch goes back with
 * this release. Of several dead runs the first one knows how it was before.
 */
export async function takeUp(
  steps: readonly Step[],
  dead: readonly ReleaseRecord[],
  { api, log, address, nameOf }: TakeUpContext,
): Promise<readonly Step[]> {
  if (dead.length === 0) return steps
  for (const { number } of dead)
    log.info(
      `Release ${address(number)} was never finished: its run died in the middle, or could not put it back. It is taken up by this one.`,
    )
  const contents = dead.map(record => record.content())
  const objects = contents.flatMap(knownStates)
  const lost = contents.flatMap(({ inventory = [] }) => inventory.filter(entry => entry.before)).map(({ reference }) => reference)
  if (lost.length > 0)
    log.warning(
      `How ${lost
        .slice(0, 5)
        .map(object => nameOf(object))
        .join(
          ', ',
        )}${lost.length > 5 ? ` and ${lost.length - 5} more` : ''} stood before the run that died is not known, for the release was too large for its record. Should this release fail, they go back to how they are now.`,
    )
  const states = new Map(objects.map(state => [objectKey(state.reference), state]))
  const known = new Set(steps.map(step => objectKey(step.body)))
  // What holds data stays, as with a rollback: a run may have died weeks ago.
  const stays = ({ reference, before }: ObjectState): boolean => before === undefined && holdsWhatOthersPut(reference)
  const left = [...states].filter(([key, state]) => !known.has(key) && !stays(state))
  const others = left.map(async ([, state]): Promise<Step> => {
    const live = await readLive(api, state.reference)
    return {
      ...stepToUndo(state),
      action: state.before === undefined ? 'delete' : 'put',
      body: state.before ?? state.reference,
      live,
      desired: state.before,
    }
  })
  const own = steps.map(step => {
    const state = states.get(objectKey(step.body))
    return state === undefined || stays(state) ? step : { ...step, before: state.before }
  })
  return [...own, ...(await Promise.all(others))]
}
