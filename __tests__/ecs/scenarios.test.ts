import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, jest, test } from '@jest/globals'
import { repositoryRoot } from '../../scripts/action-file.ts'
import { BAD, GOOD, type ScenarioRow } from './scenarios.ts'
import { type Ended, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage | undefined
afterEach(async () => {
  await stage?.close()
  stage = undefined
})

const told: string[] = []
const asked = new Set<string>()
/** `ECS_SCENARIOS=1` prints how long each took, and how often it asked. */
afterAll(() => {
  if (process.env['ECS_SCENARIOS'] === undefined) return
  process.stdout.write(`| scenario | result | reason | seconds | API calls |\n|---|---|---|---|---|\n${told.join('\n')}\n`)
})

async function play(row: ScenarioRow): Promise<Ended> {
  stage = await setStage({
    ...(row.seed === undefined ? {} : { seed: row.seed }),
    ...(row.scene === undefined ? {} : { scenario: row.scene }),
  })
  stage.push('2')
  await row.before?.(stage)
  const begun = stage.clock.now()
  const ended = await stage.deploy({ tag: '2', ...(typeof row.play === 'function' ? row.play(stage) : row.play) })
  for (const { action, at } of stage.aws.calls.list) if (at >= begun) asked.add(action)
  told.push(`| ${row.name} | ${ended.result} | ${ended.reason} | ${ended.seconds.toFixed(1)} | ${ended.calls} |`)
  return ended
}

function live(): string {
  const { deployments = [], status } = stage?.service() ?? {}
  if (status !== 'ACTIVE') return ''
  const primary = deployments.find(deployment => deployment.status === 'PRIMARY')
  return primary?.taskDefinition?.split('/').at(-1) ?? ''
}

async function check(row: ScenarioRow): Promise<void> {
  const ended = await play(row)
  const seen = { result: ended.result, reason: ended.reason, message: ended.message }
  expect(seen).toEqual({ result: row.result, reason: row.reason ?? '', message: expect.stringMatching(row.message) })
  expect(live()).toBe(row.live ?? (/deployed/.test(row.result) ? 'web:2' : 'web:1'))
  expect(ended.seconds).toBeLessThan(row.within ?? 60)
}

describe('goes well', () => {
  test.each(GOOD.map(row => [row.name, row] as const))('%s', (_, row) => check(row))
})

describe('does not go well', () => {
  test.each(BAD.map(row => [row.name, row] as const))('%s', (_, row) => check(row))
})

test("the policy in the action's README grants all that was asked, and nothing in it is misspelt", () => {
  const readme = readFileSync(join(repositoryRoot, 'actions', 'deploy-ecs', 'README.md'), 'utf8')
  const policy = JSON.parse(/```json\n(\{\n {2}"Version"[\s\S]*?)```/.exec(readme)?.[1] ?? '{}') as {
    Statement: { Action: string | string[] }[]
  }
  const granted = policy.Statement.flatMap(({ Action }) => Action)
  expect(asked.size).toBeGreaterThan(10)
  expect([...asked].filter(action => !granted.includes(action))).toEqual([])
})
