import { describe, expect, test } from '@jest/globals'
import { ApiFailure } from '../../src/kubernetes/api.ts'
import { concealSecrets, concealUsedSecrets, secretValues } from '../../src/kubernetes/secret-values.ts'
import type { Step } from '../../src/kubernetes/steps.ts'
import { ManualClock } from '../deploy/manual-clock.ts'
import { MemoryCluster, object } from './memory-cluster.ts'

const encoded = (text: string): string => Buffer.from(text).toString('base64')
const step = (body: ReturnType<typeof object>): Step => ({
  action: 'apply',
  body,
  live: undefined,
  before: undefined,
  desired: undefined,
  fieldManager: 'x',
  keepReplicas: false,
  position: () => undefined,
})
const listening = (): { told: string[]; conceal: (secret: string) => void } => {
  const told: string[] = []
  return { told, conceal: secret => void told.push(secret) }
}

describe('what of a Secret must not be seen', () => {
  test.each<[what: string, value: string, seen: readonly string[]]>([
    ['a value', 'hunter2 hunter2', ['hunter2 hunter2']],
    ['each line of a key', '-----BEGIN\nabcdefgh\n-----END', ['abcdefgh']],
    ['the password in an address', 'postgres://shop:s3cret%21@db/shop', ['s3cret%21', 's3cret!']],
    ['the texts in JSON', '{"auths":{"r":{"password":"pa55word"}}}', ['pa55word']],
  ])('%s', (_, value, seen) => {
    const found = secretValues(object('Secret', 'a', { data: { key: encoded(value) } }))
    expect(found).toEqual(expect.arrayContaining([...seen, encoded(value)]))
    expect(secretValues(object('Secret', 'a', { stringData: { key: value } }))).toEqual(expect.arrayContaining([...seen]))
  })

  test.each(['true', '8080', 'prod', ''])('%j is too short to be a secret', value => {
    expect(secretValues(object('Secret', 'a', { stringData: { key: value } }))).toEqual([])
  })

  test.each([undefined, null, 'text', 7, []])('a Secret whose data is %j has none', data => {
    expect(secretValues(object('Secret', 'a', { data }))).toEqual([])
  })
})

test('what is part of the release’s own names stays to be seen', () => {
  const log = listening()
  concealSecrets(
    [step(object('Secret', 'a', { stringData: { db: 'web-shop', pw: 'correct horse' } }))],
    ['web-shop-production'],
    log,
  )
  expect(log.told).toEqual(['correct horse'])
})

test('Secrets that the pods use are read too; what may not be read is passed over', async () => {
  const cluster = new MemoryCluster(new ManualClock())
  cluster.put(object('Secret', 'there', { data: { pw: encoded('correct horse') } }))
  cluster.before(({ path }) => {
    if (path.endsWith('/forbidden')) throw new ApiFailure(403, 'Forbidden', 'no')
  })
  const pod = object('Pod', 'a', {
    spec: {
      containers: [
        { name: 'app', image: 'web:1', envFrom: ['there', 'forbidden', 'nowhere'].map(name => ({ secretRef: { name } })) },
      ],
    },
  })
  const log = listening()
  await concealUsedSecrets(cluster, [step(pod)], 'shop', log)
  expect(log.told).toEqual([encoded('correct horse'), 'correct horse'])
})
