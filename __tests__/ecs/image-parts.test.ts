import { afterEach, describe, expect, jest, test } from '@jest/globals'
import type { Scenario } from '../../sandbox/aws/scenario.ts'
import { pushIndex } from '../../sandbox/aws/seed.ts'
import { type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

const told = (digest: string): Scenario => ({ images: { 'web:2': { digest } } })
const refused: Scenario = { faults: [{ action: 'ecr:BatchGetImage', error: 'AccessDeniedException' }] }
const other = `sha256:${'0'.repeat(64)}`

test.each<[what: string, scenario: Scenario, result: string, reason: string, asked: number, says: RegExp]>([
  ['its own digest', {}, 'deployed', '', 0, /2\/2 ready/],
  ["its platform's digest", told('platform'), 'deployed', '', 1, /2\/2 ready/],
  ['that of neither', told(other), 'rolled-back', 'DigestMismatch', 1, /runs sha256:0+, and not sha256:/],
  [
    "its platform's, and the index may not be read",
    { ...told('platform'), ...refused },
    'deployed',
    '',
    1,
    /warning.*service\/web container web was deployed as sha256:\w{12} and runs from sha256:\w{12}; whether that is a part of the same image is not known: The role may not call ecr:BatchGetImage/,
  ],
])('an index of which a task tells %s', async (_, scenario, result, reason, asked, says) => {
  stage = await setStage({ scenario })
  const { digest, platforms } = pushIndex(stage.aws, 'web', '2')
  expect(platforms).not.toContain(digest)
  const ended = await stage.deploy({ tag: '2' })
  expect(ended).toMatchObject({ result, reason })
  expect(ended.log + ended.message).toMatch(says)
  expect(ended.report?.proof?.doubts ?? []).toHaveLength(scenario.faults === undefined ? 0 : 1)
  expect(stage.aws.calls.count('ecr:BatchGetImage')).toBe(asked)
})

describe('a registry out of reach', () => {
  const away = [{ action: 'ecr:BatchGetImage', error: 'connection' }]
  test.each<[what: string, web: object, result: string, says: RegExp]>([
    [
      'leaves a doubt about a release that is well',
      {},
      'deployed',
      /whether that is a part of the same image is not known: Amazon ECR/,
    ],
    ['keeps nobody from seeing a crash', { exit: { code: 3, after: 12 } }, 'rolled-back', /exit code 3/],
  ])('%s', async (_, web, result, says) => {
    stage = await setStage({
      seed: { loadBalancer: true },
      scenario: { images: { 'web:2': { digest: 'platform', ...web } }, faults: away },
    })
    pushIndex(stage.aws, 'web', '2')
    const ended = await stage.deploy({ tag: '2' })
    expect(ended).toMatchObject({ result })
    expect(ended.log + ended.message).toMatch(says)
    expect(ended.seconds).toBeLessThan(90)
  })
})
