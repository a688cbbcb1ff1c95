import { describe, expect, test } from '@jest/globals'
import type { Manifest } from '../../src/kubernetes/manifests.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import type { InventoryEntry, ObjectState, ReleaseRecord } from '../../src/kubernetes/release-record.ts'
import {
  chooseRollback,
  type RollbackTarget,
  stepFromManifest,
  stepFromSetImage,
  stepsFromRecord,
  touchedSince,
  unknownSince,
} from '../../src/kubernetes/targets.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'
import { configMap, type Given, record, records, state } from './records.ts'

const address = (number: number): string => `release ${number}`
const D: Given = { status: 'deployed' }
const V: Given = { status: 'verified' }
const F: Given = { status: 'failed' }
const KEPT: Given = { status: 'failed', leftInPlace: true }
const RB: Given = { status: 'rolled-back' }
const P: Given = { status: 'pending' }
/** One that put another back. */
const to = (restores: number, given: Given = D): Given => ({ ...given, restores })
const BY_HAND: Given = { ...D, objects: [state('web', 'by hand', '1')] }
const TO_ORIGINAL: Given = { ...D, restores: 0, restoresOriginal: true }

const tagged = (tag: string, given: Given = D): Given => ({
  ...given,
  images: { 'deployment/web/app': `registry:5000/web:${tag}@sha256:1`, 'deployment/web/old': 'registry:5000/side' },
})
/** As `image-ref` of build-push names it. */
const pinned = (digest: string): Given => ({ ...D, images: { 'deployment/web/app': `registry:5000/web@sha256:${digest}` } })
const revised = (revision: string): Given => ({ ...D, revision })

describe('which release is put back', () => {
  test.each<[what: string, releases: readonly Given[], target: RollbackTarget, number: number, bad: number]>([
    ['the one before', [D, D], 'previous', 1, 2],
    ['failed and rolled back ones are passed over', [D, RB, F, D], 'previous', 1, 4],
    ['the last verified one', [V, D, V, D, D], 'last-verified', 3, 5],
    ['the live one does not count as verified', [V, D, V], 'last-verified', 1, 3],
    ['failed attempts since then change nothing', [D, D, RB, F], 'previous', 1, 2],
    ['a bad one that was left as it is is what is taken away', [D, D, KEPT], 'previous', 2, 3],
    ['the same for last-verified', [V, V, KEPT], 'last-verified', 2, 3],
    ['one whose run died is what is taken away', [D, V, P], 'last-verified', 2, 3],
    ['and the one before it is the one that came up', [D, D, P], 'previous', 2, 3],
    ['a dead one that was overtaken says nothing', [D, P, D], 'previous', 1, 3],
    ['after a rollback: what was before the one put back', [D, D, RB, to(2)], 'previous', 1, 4],
    ['a rollback that is live is gone back to as what it put back', [D, RB, to(1), D], 'previous', 3, 4],
    ['rollback after rollback goes on', [D, D, RB, to(2), RB, to(4)], 'previous', 1, 6],
    ['what is live already under another number is no step back', [D, D, RB, to(2), to(2)], 'previous', 1, 5],
    ['any that came up, by its number', [D, RB, D, D], 2, 2, 4],
    ['before the first is what was there by other means', [BY_HAND], 'previous', 0, 1],
    ['the same after a rollback to the first', [BY_HAND, RB, to(1)], 'previous', 0, 3],
    ['by a tag', [tagged('a'), tagged('b'), tagged('c')], { tag: 'b' }, 2, 3],
    ['the newest that has the tag', [tagged('a'), tagged('a'), tagged('c')], { tag: 'a' }, 2, 3],
    ['one that was taken back only where no other has the tag', [tagged('a'), tagged('a', RB), tagged('c')], { tag: 'a' }, 1, 3],
    ['or else that one', [tagged('b'), tagged('a', RB), tagged('c')], { tag: 'a' }, 2, 3],
    ['by what a tag stands for', [pinned('a'), pinned('b'), pinned('c')], { tag: '1.4.2', digests: new Set(['sha256:b']) }, 2, 3],
    ['by a revision', [revised('3'), revised('4'), revised('5')], { revision: '4' }, 2, 3],
    [
      'by the revision of one of several',
      [revised('deployment/web=3 deployment/api=7'), D],
      { revision: 'deployment/api=7' },
      1,
      2,
    ],
  ])('%s', (_, releases, target, number, bad) => {
    const choice = chooseRollback(records(...releases), target, address)
    expect({ number: choice.number, bad: choice.bad.number }).toEqual({ number, bad })
  })

  test('where the record of the one before was trimmed away, the release itself knows what was there', () => {
    const choice = chooseRollback([record(12, { previous: 9 }), record(11, F), record(10, F)], 'previous', address)
    expect(choice).toMatchObject({ number: 9, states: [{ after: configMap('web', '11') }] })
  })

  test.each<[what: string, releases: readonly Given[], target: RollbackTarget, says: RegExp]>([
    ['there are none', [], 'previous', /no live release to roll back from: there are no releases yet/],
    ['none came up', [RB, F], 'previous', /no live release.*2 \(failed\), 1 \(rolled-back\)/],
    ['the first one was the first', [D], 'previous', /no release before release 1/],
    ['before what was there by other means is nothing', [BY_HAND, RB, TO_ORIGINAL], 'previous', /no release before release 3/],
    ['none was verified', [D, D], 'last-verified', /No release before release 2 was ever verified.*to: previous/],
    ['what was rolled back is not verified any more', [{ ...V, status: 'rolled-back' }, D], 'last-verified', /ever verified/],
    ['the number is unknown', [D, D], 9, /no release release 9: there are 2 \(deployed\), 1 \(deployed\)/],
    ['no release has the tag', [tagged('a'), tagged('b', F), D], { tag: 'b' }, /has the tag b: there are a \(release 1\)/],
    ['no release has what the tag stands for', [pinned('a'), D], { tag: 'b', digests: new Set(['sha256:b']) }, /has the tag b/],
    ['a registry’s port is no tag', [tagged('a'), D], { tag: '5000' }, /has the tag 5000/],
    ['no release has the revision', [D, D], { revision: '9' }, /has the revision 9: there is none with any/],
    [
      'its record holds only its inventory',
      [{ ...D, objects: [], inventory: [], commit: 'abc', run: 'https://x/1' }, D],
      'previous',
      /too large for its release record.*Deploy its commit abc, its run https:\/\/x\/1 again/,
    ],
    ['the number never came up', [D, F, D], 2, /release 2 is failed: it never came up/],
  ])('refused: %s', (_, releases, target, says) => {
    expect(() => chooseRollback(records(...releases), target, address)).toThrow(says)
  })

  test('with a rollback that is rolled back goes what it had put back', () => {
    expect(chooseRollback(records(D, D, RB, to(2)), 'previous', address).replaces).toEqual([4, 2])
    expect(chooseRollback(records(D, D, D), 'previous', address).replaces).toEqual([3])
    expect(chooseRollback(records(D, to(1), { ...P, restores: 1 }), 'previous', address).replaces).toEqual([3])
  })
})

describe('objects that the chosen release does not have', () => {
  const web = (before: string | undefined, after: string): ObjectState => state('web', before, after)
  test.each<[what: string, releases: readonly Given[], target: number, found: Record<string, string | undefined>]>([
    ['created since: absent', [D, { objects: [web('1', '2'), state('later', undefined, 'x')] }], 1, { later: undefined }],
    ['changed since: as they were', [D, { objects: [web('1', '2'), state('shared', 'old', 'new')] }], 1, { shared: 'old' }],
    [
      'as before the first change, not the last',
      [D, { objects: [state('shared', 'old', 'new')] }, { objects: [state('shared', 'new', 'newest')] }],
      1,
      { shared: 'old' },
    ],
    [
      'across a release that only set an image',
      [
        { objects: [web(undefined, '1'), state('config', undefined, 'one')] },
        { objects: [web('1', '2')] },
        { objects: [web('2', '3'), state('config', 'one', 'three')] },
      ],
      2,
      { config: 'one' },
    ],
    [
      'created by a release that was rolled back: not brought back',
      [
        D,
        { status: 'rolled-back', objects: [state('later', undefined, 'x')] },
        { objects: [state('later', 'x', undefined)], restores: 1 },
      ],
      1,
      { later: undefined },
    ],
    [
      'only in a release that was put back: left alone',
      [D, { status: 'rolled-back', objects: [state('other', undefined, 'x')] }, D],
      1,
      {},
    ],
    ['of a bad release that was left', [D, { ...KEPT, objects: [state('extra', undefined, 'x')] }], 1, { extra: undefined }],
  ])('%s', (_, releases, target, found) => {
    const all = records(...releases)
    const touched = touchedSince(all, chooseRollback(all, target, address))
    expect(
      Object.fromEntries(touched.map(each => [each.reference.metadata.name, (each.after?.['data'] as { text?: string })?.text])),
    ).toEqual(found)
  })
})

describe('objects of which nothing is known any more', () => {
  test('those that a release too large for its record has changed, unless the chosen one has them', () => {
    const reference = (name: string): KubernetesObject => state(name, undefined, undefined).reference
    const entry = (name: string, before: boolean): InventoryEntry => ({ reference: reference(name), before, after: true })
    const large: Given = { ...D, objects: [], inventory: [entry('web', true), entry('other', true), entry('new', false)] }
    const all = records(D, large)
    const choice = chooseRollback(all, 'previous', address)
    expect(unknownSince(all, choice).map(({ metadata }) => metadata.name)).toEqual(['other'])
    expect(touchedSince(all, choice).map(({ reference: { metadata }, after }) => [metadata.name, after])).toEqual([
      ['new', undefined],
    ])
  })
})

describe('the steps of a rollback', () => {
  const any = (kind: string, name: string, before: boolean, after: boolean): ObjectState => {
    const whole = object(kind, name, { spec: {} })
    return {
      reference: object(kind, name),
      before: before ? whole : undefined,
      after: after ? whole : undefined,
      keepReplicas: false,
    }
  }
  const steps = async (
    all: readonly ReleaseRecord[],
    ...live: readonly [string, string][]
  ): Promise<{ steps: string[]; kept: string[] }> => {
    const cluster = new MemoryCluster(new ManualClock())
    for (const [kind, name] of live) cluster.put(object(kind, name, { spec: { live: true } }))
    const found = await stepsFromRecord(cluster, all, chooseRollback(all, 1, address), () => false)
    return {
      steps: found.steps.map(({ action, body }) => `${action} ${body.kind}/${body.metadata.name}`).sort(),
      kept: found.kept.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    }
  }

  test('what holds data of others is never removed', async () => {
    const created = ['Namespace', 'PersistentVolumeClaim', 'ConfigMap'].map(kind => any(kind, 'later', false, true))
    expect(await steps(records({ objects: [] }, { objects: created }))).toEqual({
      steps: ['delete ConfigMap/later'],
      kept: ['Namespace/later', 'PersistentVolumeClaim/later'],
    })
  })

  test('a Job that ran is not run again, nor touched; one that came since goes', async () => {
    const old = [any('Job', 'migrate-1', false, true), any('Job', 'gone-1', false, true), any('ConfigMap', 'web', false, true)]
    const all = records({ objects: old }, { objects: [any('Job', 'migrate-2', false, true)] })
    expect((await steps(all, ['Job', 'migrate-1'], ['Job', 'migrate-2'])).steps).toEqual([
      'delete Job/migrate-2',
      'put ConfigMap/web',
    ])
  })
})

describe('a manifest as a step', () => {
  const manifest = (given: ReturnType<typeof object>): Manifest =>
    ({ object: given, source: { file: 'a.yaml' }, position: () => undefined }) as unknown as Manifest
  test.each<[what: string, given: Record<string, unknown>, sent: Record<string, unknown>]>([
    ['stringData becomes data', { stringData: { a: 'x' }, data: { b: 'eQ==' } }, { data: { a: 'eA==', b: 'eQ==' } }],
    ['stringData decides', { stringData: { a: 'x' }, data: { a: 'eQ==' } }, { data: { a: 'eA==' } }],
    ['what is no text is for the server to refuse', { stringData: { a: 1 } }, { stringData: { a: 1 } }],
    ['data stays', { data: { b: 'eQ==' } }, { data: { b: 'eQ==' } }],
  ])('%s', (_, given, sent) => {
    expect(stepFromManifest(manifest(object('Secret', 's', given)), undefined, false).body).toEqual(object('Secret', 's', sent))
  })
  test('only of a Secret', () => {
    const other = object('ConfigMap', 's', { stringData: { a: 'x' } })
    expect(stepFromManifest(manifest(other), undefined, false).body).toBe(other)
  })
})

describe('set-image of what is live', () => {
  const web = object('Deployment', 'web', {
    spec: {
      template: {
        spec: {
          initContainers: [{ name: 'init', image: 'i:1' }],
          containers: [
            { name: 'app', image: 'a:1' },
            { name: 'log', image: 'l:1' },
          ],
        },
      },
    },
  })
  const entry = (container: string, reference: string): Parameters<typeof stepFromSetImage>[2][number] => ({
    kind: 'Deployment',
    name: 'web',
    container,
    reference,
  })
  const step = async (...entries: Parameters<typeof entry>[]): Promise<unknown> => {
    const cluster = new MemoryCluster(new ManualClock())
    cluster.put(web)
    const found = await stepFromSetImage(
      cluster,
      'apps/v1',
      entries.map(each => entry(...each)),
      'shop',
    )
    return (found.body as unknown as { spec: { template: { spec: unknown } } }).spec.template.spec
  }
  const byUs = (fieldsV1: object): object => ({
    managedFields: [{ manager: 'deploy-actions-set-image', operation: 'Apply', apiVersion: 'apps/v1', fieldsV1 }],
  })
  const containers = { 'k:{"name":"log"}': { '.': {}, 'f:name': {}, 'f:image': {} }, 'k:{"name":"gone"}': { 'f:image': {} } }
  test('sends the images that it has set before again, as they are live: what it leaves out would be removed', async () => {
    const metadata = byUs({ 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': containers } } } })
    const cluster = new MemoryCluster(new ManualClock())
    cluster.put({ ...web, metadata: { ...web.metadata, ...metadata } })
    const { body } = await stepFromSetImage(cluster, 'apps/v1', [entry('app', 'a:2')], 'shop')
    expect(body['spec']).toEqual({
      template: {
        spec: {
          containers: [
            { name: 'log', image: 'l:1' },
            { name: 'app', image: 'a:2' },
          ],
        },
      },
    })
  })

  test('sends the containers of a Rollout whole: its lists are atomic', async () => {
    const cluster = new MemoryCluster(new ManualClock())
    const app = { name: 'app', image: 'a:1', env: [{ name: 'A', value: 'b' }], readinessProbe: { tcpSocket: { port: 80 } } }
    const log = { name: 'log', image: 'l:1', resources: {} }
    const spec = { template: { spec: { initContainers: [{ name: 'init', image: 'i:1' }], containers: [app, log] } } }
    cluster.put({ ...object('Rollout', 'web', { spec }), apiVersion: 'argoproj.io/v1alpha1' })
    const { body } = await stepFromSetImage(
      cluster,
      'argoproj.io/v1alpha1',
      [{ ...entry('app', 'a:2'), kind: 'Rollout' }],
      'shop',
    )
    expect(body['spec']).toEqual({ template: { spec: { containers: [{ ...app, image: 'a:2' }, log] } } })
  })

  test('sends nothing but the container', async () => {
    expect(await step(['app', 'a:2'])).toEqual({ containers: [{ name: 'app', image: 'a:2' }] })
  })
  test.each([
    [
      ['*', 'x:1'],
      ['app', 'a:2'],
    ],
    [
      ['app', 'a:2'],
      ['*', 'x:1'],
    ],
  ] as const)('%j: the own entry decides over the one for all', async (...entries) => {
    expect(await step(...entries.map(([container, reference]) => [container, reference] as [string, string]))).toEqual({
      initContainers: [{ name: 'init', image: 'x:1' }],
      containers: [
        { name: 'log', image: 'x:1' },
        { name: 'app', image: 'a:2' },
      ],
    })
  })
  test('names the containers there are, and the workload that is not there', async () => {
    await expect(step(['api', 'a:2'])).rejects.toThrow(/no container "api"; it has init, app, log/)
    const none = stepFromSetImage(new MemoryCluster(new ManualClock()), 'apps/v1', [entry('app', 'a:2')], 'shop')
    await expect(none).rejects.toMatchObject({ reason: 'NotFound' })
  })
})
