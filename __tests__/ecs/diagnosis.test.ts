// The log of what failed, where it is in this region and where it is not.
import { afterEach, expect, jest, test } from '@jest/globals'
import { type Ended, type Stage, setStage } from './stage.ts'

// The machine may be busy; the clock of what is tested is not the machine's.
jest.setTimeout(60_000)

let stage: Stage
afterEach(() => stage.close())

const MIGRATE = { container: 'web', words: ['npm', 'run', 'migrate'] }

/** A release whose program ends with 3, and logs to that region. */
async function fails(region: string, once: boolean): Promise<Ended> {
  stage = await setStage()
  stage.push('2')
  stage.aws.call('logs:CreateLogGroup', { logGroupName: '/shop' }, region)
  const logOptions = [
    { container: 'web', name: 'awslogs-group', value: '/shop' },
    { container: 'web', name: 'awslogs-region', value: region },
  ]
  const images = [{ container: 'web', reference: `${stage.seeded.repository}:2` }]
  return stage.deploy({
    scenario: { images: { 'web:2': { exit: { code: 3, after: 2 }, log: ['no DATABASE_URL'] } } },
    target: { overrides: { images, environment: [], secrets: [], logOptions, commands: [], cpu: '', memory: '' } },
    platform: once ? { tasks: { before: [MIGRATE], after: [], timeoutMs: 300_000 } } : {},
  })
}

test.each([
  ['eu-west-1', [['no DATABASE_URL']], false],
  ['us-east-1', [], true],
])('of a service, in %s', async (region, lines, elsewhere) => {
  const { report } = await fails(region, false)
  const [culprit] = report?.culprits ?? []
  expect(culprit?.logs.map(log => log.lines)).toEqual(lines)
  expect(culprit?.facts.some(([name, value]) => name === 'log' && value === 'log group /shop in us-east-1')).toBe(elsewhere)
  expect(culprit?.commands.at(-1)).toBe(`aws logs tail /shop --region ${region} --log-stream-name-prefix ecs/web --since 1h`)
  expect(stage.aws.calls.count('logs:GetLogEvents')).toBe(elsewhere ? 0 : 1)
})

test.each([
  ['eu-west-1', /Its log ends with "no DATABASE_URL"/],
  ['us-east-1', /exit code 3\. Its log is in log group \/shop in us-east-1\./],
])('of a task that is run once, in %s', async (region, message) => {
  expect((await fails(region, true)).message).toMatch(message)
})
