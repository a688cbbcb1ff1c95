import { randomBytes } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import {
  inventoryOf,
  knownStates,
  liveRecord,
  type RecordContent,
  ReleaseRecords,
  surplusOf,
  unfinishedRecords,
} from '../../src/kubernetes/release-record.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { type Given, record, records, state } from './records.ts'

const D: Given = { status: 'deployed' }
const V: Given = { status: 'verified' }
const F: Given = { status: 'failed' }
const P: Given = { status: 'pending' }
const KEPT: Given = { status: 'failed', leftInPlace: true }
const times = (count: number, given: Given): Given[] => Array.from({ length: count }, () => given)

const CONTENT: RecordContent = { ...record(1).content(), objects: [state('web', 'old', 'new')] }

describe('which release is live', () => {
  test.each<[what: string, releases: readonly Given[], live: number | undefined, unfinished: readonly number[]]>([
    ['none', [], undefined, []],
    ['the newest that came up', [D, V, F], 2, []],
    ['a failed one that was left as it is', [D, KEPT, F], 2, []],
    ['a pending one is not there yet', [D, P], 1, [2]],
    ['what the live one has overtaken is over', [P, D, P], 2, [3]],
    ['several died', [D, P, P], 1, [3, 2]],
    ['the very first died', [P], undefined, [1]],
  ])('%s', (_, releases, live, unfinished) => {
    const all = records(...releases)
    expect(liveRecord(all)?.number).toBe(live)
    expect(unfinishedRecords(all).map(({ number }) => number)).toEqual(unfinished)
  })
})

describe('which records go', () => {
  test.each<[what: string, releases: readonly Given[], gone: readonly number[]]>([
    ['none of ten', times(10, D), []],
    ['the oldest', times(12, D), [2, 1]],
    ['never the last verified one', [V, V, ...times(11, D)], [3, 1]],
    ['never a pending one', [P, D, ...times(10, D)], [2]],
    ['failures push none out that can be gone back to', [D, D, ...times(12, F), D], [5, 4, 3]],
  ])('%s', (_, releases, gone) => {
    expect(surplusOf(records(...releases)).map(({ number }) => number)).toEqual(gone)
  })
})

describe('records in the cluster', () => {
  const make = (): { cluster: MemoryCluster; all: ReleaseRecords } => {
    const cluster = new MemoryCluster(new ManualClock())
    return { cluster, all: new ReleaseRecords(cluster, 'shop', 'web') }
  }

  test('are read as they were written', async () => {
    const { all } = make()
    await all.create(1, CONTENT)
    await all.update(1, 'failed', 'It crashed.', { leftInPlace: true })
    const [read] = await all.list()
    expect(read).toMatchObject({ number: 1, status: 'failed', message: 'It crashed.', leftInPlace: true })
    expect(read?.content()).toEqual(CONTENT)
    await all.update(1, 'rolled-back', 'It was rolled back.')
    expect((await all.list())[0]).toMatchObject({ status: 'rolled-back', leftInPlace: false })
  })

  test('a number that is taken is not written over', async () => {
    const { all } = make()
    await all.create(1, CONTENT)
    expect(await all.create(1, { ...CONTENT, commit: 'other' })).toBeUndefined()
    expect((await all.get(1)).content().commit).toBe('')
  })

  test('other apps are not seen', async () => {
    const { cluster, all } = make()
    await new ReleaseRecords(cluster, 'shop', 'web-admin').create(3, CONTENT)
    expect(await all.list()).toEqual([])
    await expect(all.get(3)).rejects.toThrow(/no release k8s:\/\/shop\/web\/3; there are no releases yet/)
  })

  test('with a resourceVersion only what was read is marked', async () => {
    const { all } = make()
    await all.create(1, CONTENT)
    const { resourceVersion } = await all.get(1)
    await all.update(1, 'rolled-back', 'Somebody was faster.')
    await expect(all.update(1, 'verified', 'Verified.', { resourceVersion })).rejects.toMatchObject({ reason: 'Conflict' })
    expect((await all.get(1)).status).toBe('rolled-back')
  })

  const noise = (length: number): string => randomBytes(length).toString('base64')

  test('of a release that is too large the inventory is kept, and what it created', async () => {
    const { all } = make()
    const objects = [
      state('changed', 'old', noise(1_200_000)),
      state('created', undefined, 'new'),
      state('deleted', 'old', undefined),
    ]
    const content = { ...CONTENT, objects, images: { 'deployment/web/app': 'web:2@sha256:1' } }
    await all.create(1, content)
    const read = (await all.get(1)).content()
    expect(read).toMatchObject({ objects: [], images: content.images })
    expect(inventoryOf(read)).toEqual(inventoryOf(content))
    expect(inventoryOf(read).map(({ before, after }) => [before, after])).toEqual([
      [true, true],
      [false, true],
      [true, false],
    ])
    expect(knownStates(read).map(({ reference, before }) => [reference.metadata.name, before])).toEqual([['created', undefined]])
  })

  test('a release whose very inventory is too large is refused before anything is written', async () => {
    const { cluster, all } = make()
    const objects = [state(noise(1_200_000), 'old', 'new')]
    await expect(all.create(1, { ...CONTENT, objects })).rejects.toThrow(/KiB compressed.*nothing was changed/)
    expect(cluster.writes).toEqual([])
  })

  test('a damaged record says so', async () => {
    const { cluster, all } = make()
    await all.create(1, CONTENT)
    const secret = cluster.get('Secret', 'web.r1')
    if (secret !== undefined) cluster.put({ ...secret, data: { release: 'AAAA' } })
    expect(() => record(1).content()).not.toThrow()
    const read = await all.get(1)
    expect(() => read.content()).toThrow('The release record web.r1 cannot be read: it is damaged.')
  })
})
