// Release records as a test writes them down: one line each.
import type { ReleaseStatus } from '../../src/deploy/platform.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import type { ObjectState, RecordContent, ReleaseRecord } from '../../src/kubernetes/release-record.ts'
import { object } from './memory-cluster.ts'

export type Given = Partial<Omit<RecordContent, 'objects'>> & {
  readonly status?: ReleaseStatus
  readonly leftInPlace?: boolean
  readonly objects?: readonly ObjectState[]
}

/** A ConfigMap of that name holding `text`; undefined where there is none. */
export function configMap(name: string, text: string | undefined): KubernetesObject | undefined {
  return text === undefined ? undefined : object('ConfigMap', name, { data: { text } })
}

/** The state of a ConfigMap before and after a release. */
export function state(name: string, before: string | undefined, after: string | undefined): ObjectState {
  return {
    reference: object('ConfigMap', name),
    before: configMap(name, before),
    after: configMap(name, after),
    keepReplicas: false,
  }
}

export function record(number: number, given: Given = {}): ReleaseRecord {
  const { status = 'deployed', leftInPlace = false, ...content } = given
  return {
    namespace: 'shop',
    app: 'web',
    number,
    status,
    createdAt: '2026-01-01T00:00:00Z',
    message: '',
    leftInPlace,
    secretName: `web.r${number}`,
    resourceVersion: String(number),
    content: () => ({
      objects: [state('web', number === 1 ? undefined : `${number - 1}`, `${number}`)],
      commit: '',
      run: '',
      actor: '',
      restores: 0,
      previous: number - 1,
      images: {},
      ...content,
    }),
  }
}

/** Newest first, as they are listed. */
export function records(...given: readonly Given[]): ReleaseRecord[] {
  return given.map((each, index) => record(index + 1, each)).toReversed()
}
