// What the tables of judges' tests are made of: any object as the API server would send it, what else is known of it, and what is said of it.
import { expect } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Judgement } from '../../../src/deploy/verdict.ts'
import { followedKind } from '../../../src/kubernetes/judge/kinds.ts'
import type { Snapshot } from '../../../src/kubernetes/judge/workload.ts'
import type { KubernetesObject } from '../../../src/kubernetes/objects.ts'
import { at, BEGAN, type event, stamp } from './objects.ts'

export type Expected = { readonly [Field in keyof Judgement]?: Judgement[Field] | undefined }
export type Fields = Readonly<Record<string, unknown>>
export type Row = readonly [what: string, given: Snapshot, seconds: number, expected: Expected]

export function check(given: Snapshot, seconds: number, { recheckAt, message, ...rest }: Expected): void {
  const { object } = given
  if (object === undefined) throw new Error('nothing to judge')
  const judgement = followedKind(object)?.judge(given, at(seconds))
  expect(judgement).toMatchObject(rest)
  if (message !== undefined) expect(judgement?.message).toContain(message)
  if (recheckAt !== undefined) expect(judgement?.recheckAt).toBe(at(recheckAt))
}

export const progressing = { phase: 'progressing' } as const
export const failed = { phase: 'failed' } as const
export const healthy = { phase: 'healthy', reason: '', culprit: '' } as const

export function object(
  apiVersion: string,
  kind: string,
  spec: Fields,
  status: Fields | undefined,
  metadata: Fields = {},
): KubernetesObject {
  return {
    apiVersion,
    kind,
    metadata: { name: 'web', namespace: 'shop', uid: 'w', creationTimestamp: stamp(0), ...metadata },
    spec,
    ...(status === undefined ? {} : { status }),
  }
}

export function shown(
  given: KubernetesObject,
  pods: readonly Pod[] = [],
  more: Partial<Omit<Snapshot, 'events'>> & { readonly events?: readonly ReturnType<typeof event>[] } = {},
): Snapshot {
  const { events = [], ...rest } = more
  return {
    name: `${given.kind.toLowerCase()}/web`,
    object: given,
    generation: 1,
    since: BEGAN,
    replicaSets: [],
    pods,
    restartsBefore: () => 0,
    ...rest,
    events: uid => events.filter(candidate => candidate.involvedObject.uid === uid),
  }
}
