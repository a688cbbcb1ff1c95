// The API server away for 20 s in the middle of two rollouts, with every connection to it: the good one is deployed all the same, the bad one put back.
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { cutApiServer, restoreApiServer } from '../../sandbox/index.ts'
import type { ActionResult } from '../harness/run-action.ts'
import { TestNamespace } from './test-namespace.ts'
import { webApp } from './web-app.ts'

jest.setTimeout(240_000)

const AWAY_MS = 20_000

let space: TestNamespace

const deploy = (name: string, onOutput: (text: string) => void = () => undefined): Promise<ActionResult> =>
  space.deploy({ app: name, manifests: `${name}.yaml`, timeout: '150s' }, { onOutput })

beforeAll(async () => {
  space = new TestNamespace('outage')
  for (const name of ['good', 'bad']) space.write({ [`${name}.yaml`]: webApp({ name, version: '1', replicas: 1 }) })
  for (const { outputs } of await Promise.all([deploy('good'), deploy('bad')]))
    expect(outputs).toMatchObject({ result: 'deployed' })
})
afterAll(() => space.remove())

test('an API server that is stopped for 20 s changes no verdict', async () => {
  space.write({
    'good.yaml': webApp({ name: 'good', version: '2' }),
    'bad.yaml': webApp({ name: 'bad', version: '2', replicas: 1, command: 'exit 3' }),
  })
  const begun = new Set<string>()
  const bothBegun = Promise.withResolvers<void>()
  const listen = (name: string) => (text: string) => {
    if (!/^\+0\.\d s/m.test(text)) return
    begun.add(name)
    if (begun.size === 2) bothBegun.resolve()
  }
  const runs = Promise.all([deploy('good', listen('good')), deploy('bad', listen('bad'))])
  await bothBegun.promise
  await cutApiServer()
  try {
    await new Promise(resolve => setTimeout(resolve, AWAY_MS))
  } finally {
    await restoreApiServer()
  }
  const [good, bad] = await runs
  expect(good?.outputs).toMatchObject({ result: 'deployed' })
  expect(bad?.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
  expect(good?.output).toMatch(/The watch of \S+ fails .*\n[\s\S]*works again after \d+ s/)
  expect(space.get<{ spec: { replicas: number } }>('deployment', 'good')?.spec.replicas).toBe(2)
  expect(Object.values(space.releases('bad'))).toEqual(['deployed', 'rolled-back'])
})
