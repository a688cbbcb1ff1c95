import { describe, expect, test } from '@jest/globals'
import type { Pod } from 'kubernetes-types/core/v1.js'
import type { Snapshot } from '../../src/kubernetes/judge/workload.ts'
import { judgeDigests, provenDigests } from '../../src/kubernetes/proof.ts'

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
const pod = (owner: string, imageID: string, more: object = {}): Pod => ({
  metadata: {
    name: 'p',
    uid: imageID,
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner }],
  },
  status: {
    phase: 'Running',
    containerStatuses: [{ name: 'app', image: 'web:1', imageID, ready: true, restartCount: 0 }],
    ...more,
  },
})
const set = (uid: string, revision: string): Snapshot['replicaSets'][number] => ({
  metadata: { name: uid, uid, annotations: { 'deployment.kubernetes.io/revision': revision } },
})

function snapshot(pods: readonly Pod[], name = 'deployment/web'): Snapshot {
  return {
    name,
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', uid: 'd', annotations: { 'deployment.kubernetes.io/revision': '2' } },
    },
    generation: 1,
    since: 0,
    replicaSets: [set('old', '1'), set('new', '2')],
    pods,
    events: () => [],
    restartsBefore: () => 0,
  }
}

describe('what runs', () => {
  test.each<[what: string, pods: readonly Pod[], app: string | undefined]>([
    ['the digest that the kubelet names', [pod('new', `registry/web@${digest('a')}`)], digest('a')],
    ['old pods do not count', [pod('old', digest('b')), pod('new', digest('a'))], digest('a')],
    [
      'two digests under one tag are both named',
      [pod('new', digest('c')), pod('new', digest('a'))],
      `${digest('a')},${digest('c')}`,
    ],
    ['a pod that has not pulled yet says nothing', [pod('new', '')], undefined],
    ['nor does one that is gone', [pod('new', digest('a'), { phase: 'Failed' })], undefined],
  ])('%s', (_, pods, app) => {
    expect(provenDigests([snapshot(pods)])).toMatchObject({
      digests: { 'deployment/web': app === undefined ? {} : { app } },
      revision: '2',
    })
  })

  test('revisions of several workloads are told apart; one that is not there has none', () => {
    const { object: _, ...gone } = snapshot([], 'deployment/gone')
    const proof = provenDigests([snapshot([], 'deployment/a'), snapshot([], 'deployment/b'), { ...gone, object: undefined }])
    expect(proof).toMatchObject({
      digests: { 'deployment/a': {}, 'deployment/b': {} },
      revision: 'deployment/a=2 deployment/b=2',
    })
  })
})

describe('whether that is what was deployed', () => {
  const pinned = (imageID: string, image = `registry/web:2@${digest('a')}`): Snapshot => {
    const running = pod('new', imageID)
    return snapshot([{ ...running, spec: { containers: [{ name: 'app', image }] } }])
  }
  const ask = (snapshots: readonly Snapshot[], within: readonly string[] | undefined): ReturnType<typeof judgeDigests> =>
    judgeDigests(provenDigests(snapshots), {
      digestsWithin: async () => within,
      configurationsOf: async (_, of) =>
        of === digest('d') ? [digest('e'), digest('f')] : of === digest('c') ? [digest('9')] : [],
    })
  const SAME = ['1 container runs from the very digest that was deployed']

  test.each<
    [
      what: string,
      of: readonly Snapshot[],
      within: readonly string[] | undefined,
      proven: readonly string[],
      doubt: RegExp | undefined,
    ]
  >([
    ['the very digest', [pinned(`registry/web@${digest('a')}`)], undefined, SAME, undefined],
    [
      'a platform’s manifest, or a configuration, of that index',
      [pinned(digest('b'))],
      [digest('a'), digest('b')],
      SAME,
      undefined,
    ],
    [
      'another one',
      [pinned(digest('b'))],
      [digest('a')],
      [],
      /deployed as sha256:a+ and runs from sha256:b+, which is no part of it/,
    ],
    [
      'the same configurations, pushed once more',
      [pinned(digest('d'))],
      [digest('a'), digest('e'), digest('f')],
      SAME,
      undefined,
    ],
    ['the same configuration of one platform only', [pinned(digest('d'))], [digest('a'), digest('e')], [], /no part of it/],
    ['other configurations', [pinned(digest('c'))], [digest('a'), digest('e')], [], /no part of it/],
    ['another one, and the registry does not answer', [pinned(digest('b'))], undefined, [], /the registry could not be asked/],
    ['a tag: nothing can be said', [pinned(digest('b'), 'registry/web:2')], undefined, [], undefined],
    ['no digest at all', [pinned('')], undefined, [], undefined],
    [
      'a tag that was moved',
      [snapshot([pod('new', digest('c')), pod('new', digest('a'))])],
      undefined,
      [],
      /more than one digest: its tag was moved/,
    ],
  ])('%s', async (_, of, within, proven, doubt) => {
    expect(await ask(of, within)).toEqual({ proven, doubts: doubt === undefined ? [] : [expect.stringMatching(doubt)] })
  })
})
