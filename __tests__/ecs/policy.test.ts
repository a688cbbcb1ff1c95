// The policy in the README names what the code asks of AWS, no more and no less.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'

const ROOT = join(import.meta.dirname, '../..')

/** Asked by AWS itself on the way: to pass roles on, and on behalf of CodeDeploy's CreateDeployment. */
const BY_AWS = [
  'codedeploy:GetApplicationRevision',
  'codedeploy:RegisterApplicationRevision',
  'codedeploy:UpdateDeploymentGroup',
  'iam:PassRole',
]
/** Everybody may call it. */
const FREE = 'sts:GetCallerIdentity'

function called(): readonly string[] {
  const folder = join(ROOT, 'src/ecs')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const actions = files.flatMap(file =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/\.call\(\s*'([a-z-]+)',\s*'(\w+)'/g)].map(
      ([, service, operation]) => `${service}:${operation}`,
    ),
  )
  return [...new Set(actions)]
}

test('every call, and nothing else', () => {
  const readme = readFileSync(join(ROOT, 'actions/deploy-ecs/README.md'), 'utf8')
  const [, json = '{}'] = /```json\n(\{\n {2}"Version"[\s\S]*?)```/.exec(readme) ?? []
  const policy = JSON.parse(json) as { Statement: { Action: string | string[] }[] }
  const granted = policy.Statement.flatMap(({ Action }) => Action)
  const asked = called().filter(action => action !== FREE)
  expect(asked.length).toBeGreaterThan(20)
  expect(granted.toSorted()).toEqual([...asked, ...BY_AWS].toSorted())
})
