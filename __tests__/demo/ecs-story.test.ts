// The story on ECS, played on the virtual clock: what is told of it comes of it.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { ECS_APP, ECS_CLUSTER, ecsScenario, ecsSeed, ecsStory } from '../../demo/ecs-story.ts'
import { differences } from '../../demo/expectation.ts'
import { serving } from '../../demo/tell-ecs.ts'
import { parseCommandOfContainer } from '../../src/ecs/entries.ts'
import { type Stage, setStage } from '../ecs/stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
beforeAll(async () => {
  stage = await setStage({ seed: ecsSeed, scenario: ecsScenario })
})
afterAll(() => stage.close())

describe('the story on ECS', () => {
  test('begins with the first version', () => expect(serving(stage.aws)).toBe('1.0.0'))

  test.each(ecsStory.map(version => [version.version, version] as const))('goes on with %s as told', async (_, told) => {
    if (told.pushed) stage.push(told.version)
    const before = Object.keys(told.inputs).includes('run-before')
      ? [parseCommandOfContainer(told.inputs['run-before'] ?? '')]
      : []
    const ended = await stage.deploy({ tag: told.version, platform: { tasks: { before, after: [], timeoutMs: 120_000 } } })
    const { caughtWithin, ...expected } = told.expects
    const outputs = {
      result: ended.result === 'refused' ? 'failed' : ended.result,
      reason: ended.reason,
      message: ended.message,
      release: ended.report?.release ?? '',
      'previous-release': ended.report?.previousRelease ?? '',
    }
    const conclusion = ended.result === 'deployed' ? 'success' : 'failure'
    expect(differences({ conclusion, outputs, lines: [] }, expected)).toEqual([])
    expect(ended.seconds).toBeLessThan(caughtWithin === undefined ? 60 : 2 * caughtWithin)
    expect(serving(stage.aws)).toBe(told.serves)
  })

  test('says what serves where not all of it does', () => {
    stage.aws.call('ecs:UpdateService', { cluster: ECS_CLUSTER, service: ECS_APP, desiredCount: 9 })
    expect(serving(stage.aws)).toMatch(/^1\.5\.0 \(\d tasks\)$/)
  })
})

test('the versions ascend, half of them bad, and a bad one never serves', () => {
  const names = ecsStory.map(({ version }) => version)
  expect(names).toEqual(names.toSorted())
  const bad = ecsStory.filter(({ expects }) => expects.conclusion === 'failure').map(({ version }) => version)
  expect(bad).toHaveLength(3)
  expect(ecsStory.filter(({ serves }) => bad.includes(serves))).toEqual([])
})
