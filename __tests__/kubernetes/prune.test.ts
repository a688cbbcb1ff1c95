import { describe, expect, test } from '@jest/globals'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { stepsToPrune } from '../../src/kubernetes/prune.ts'
import type { ObjectState } from '../../src/kubernetes/release-record.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'
import { record } from './records.ts'

const PROTECTED = { 'deploy-actions/prune': 'false' }

function deployed(kind: string, name: string, after = object(kind, name)): ObjectState {
  return { reference: object(kind, name), before: undefined, after, keepReplicas: false }
}

function withAnnotations(kind: string, name: string, annotations: Record<string, string>): KubernetesObject {
  const made = object(kind, name)
  return { ...made, metadata: { ...made.metadata, annotations } }
}

function clusterWith(objects: readonly KubernetesObject[]): MemoryCluster {
  const cluster = new MemoryCluster(new ManualClock())
  for (const each of objects) cluster.put(each)
  return cluster
}

describe('what a release no longer holds is deleted', () => {
  test.each<[what: string, recorded: ObjectState[], live: KubernetesObject[], manifests: KubernetesObject[], pruned: string[]]>([
    [
      'what was dropped',
      [deployed('ConfigMap', 'a'), deployed('ConfigMap', 'b')],
      [object('ConfigMap', 'a'), object('ConfigMap', 'b')],
      [object('ConfigMap', 'a')],
      ['ConfigMap/b'],
    ],
    ['not what is still there', [deployed('ConfigMap', 'a')], [object('ConfigMap', 'a')], [object('ConfigMap', 'a')], []],
    ['not what the release never held', [], [object('ConfigMap', 'foreign')], [], []],
    ['not what somebody has deleted already', [deployed('ConfigMap', 'a')], [], [], []],
    [
      'not what the live release itself deleted',
      [{ ...deployed('ConfigMap', 'a'), after: undefined }],
      [object('ConfigMap', 'a')],
      [],
      [],
    ],
    [
      'not what holds data of others',
      [deployed('PersistentVolumeClaim', 'a'), deployed('Namespace', 'n')],
      [object('PersistentVolumeClaim', 'a'), object('Namespace', 'n')],
      [],
      [],
    ],
    [
      'not what was deployed with the annotation',
      [deployed('ConfigMap', 'a', withAnnotations('ConfigMap', 'a', PROTECTED))],
      [object('ConfigMap', 'a')],
      [],
      [],
    ],
    [
      'not what has been given the annotation since',
      [deployed('ConfigMap', 'a')],
      [withAnnotations('ConfigMap', 'a', PROTECTED)],
      [],
      [],
    ],
    [
      'but what says "true"',
      [deployed('ConfigMap', 'a')],
      [withAnnotations('ConfigMap', 'a', { 'deploy-actions/prune': 'true' })],
      [],
      ['ConfigMap/a'],
    ],
  ])('%s', async (_, recorded, live, manifests, pruned) => {
    const cluster = clusterWith(live)
    const steps = await stepsToPrune(cluster, record(3, { objects: recorded }), manifests)
    expect(steps.map(({ body }) => `${body.kind}/${body.metadata.name}`)).toEqual(pruned)
    expect(
      steps.every(({ action, before, live: found }) => action === 'delete' && before !== undefined && before === found),
    ).toBe(true)
  })

  test('nothing without a live release', async () => {
    expect(await stepsToPrune(clusterWith([object('ConfigMap', 'a')]), undefined, [])).toEqual([])
  })
})
