// What the checks of a release make of it on ECS: by the same engine as on Kubernetes, with the marks in ECS's tags.
import type { Tag } from '@aws-sdk/client-ecs'
import { afterEach, expect, test } from '@jest/globals'
import type { Checked } from '../../src/deploy/check.ts'
import { type Stage, setStage } from './stage.ts'

let stage: Stage
afterEach(() => stage.close())

const live = (): string =>
  stage
    .service()
    .deployments?.find(({ status }) => status === 'PRIMARY')
    ?.taskDefinition?.split('/')
    .at(-1) ?? ''

function statusOf(revision: string): string {
  const { tags = [] } = stage.aws.call('ecs:DescribeTaskDefinition', { taskDefinition: revision, include: ['TAGS'] }) as {
    tags?: Tag[]
  }
  return tags.find(({ key }) => key === 'deploy-actions:app/web')?.value?.split(' ')[0] ?? ''
}

test.each<[result: Checked['result'], ended: string, serving: string, status: string, asked: readonly string[]]>([
  ['passed', 'deployed', 'web:2', 'verified', ['new']],
  ['failed', 'rolled-back', 'web:1', 'rolled-back', ['new', 'restored']],
  ['inconclusive', 'failed', 'web:2', 'deployed', ['new']],
])('%s: %s', async (result, ended, serving, status, asked) => {
  stage = await setStage()
  stage.push('2')
  const calls: string[] = []
  const check = async (of: 'new' | 'restored'): Promise<Checked> => {
    calls.push(of)
    return { result, reason: result === 'passed' ? '' : 'WrongStatus', message: 'It answered.', summary: '' }
  }
  const report = await stage.deploy({ tag: '2', options: { check } })
  expect(report).toMatchObject({ result: ended, reason: result === 'passed' ? '' : 'WrongStatus' })
  expect([live(), statusOf('web:2'), calls]).toEqual([serving, status, asked])
})
