// With just the rights that the README asks for all goes well; with any one of them missing a run says so before it has changed anything, or does without.
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { grant, kubeconfigOf, RIGHTS, without } from './service-account.ts'
import { runProgram, TestNamespace } from './test-namespace.ts'
import { webApp } from './web-app.ts'

jest.setTimeout(600_000)

/** So many runs at a time: they are as many as there are rights. */
const AT_ONCE = 8

/** Rights that a run can do without: a failure is told without its log, old records stay, Secrets that are not the release's are not known. */
const DISPENSABLE = ['get pods/log', 'delete secrets', 'get secrets']

let space: TestNamespace
let as: (account: string) => string

/** An app's next version: something of each kind that is changed, and something that is created. */
const manifests = (version: string, command?: string): string => {
  const crash = command === undefined ? {} : { command }
  return `${webApp({ version, replicas: 1, greeting: version, ...crash })}---\n${webApp({ name: 'more', version, replicas: 1 })}`
}

/** What is live, but for what controllers write. */
async function live(): Promise<string> {
  const columns =
    'KIND:.kind,NAME:.metadata.name,UID:.metadata.uid,GENERATION:.metadata.generation,DATA:.data,LABELS:.metadata.labels'
  return runProgram(
    'kubectl',
    ['-n', space.name, 'get', 'deployments,services,configmaps,secrets', '-o', `custom-columns=${columns}`],
    space.env,
  )
}

beforeAll(async () => {
  space = new TestNamespace('rights')
  as = kubeconfigOf(space)
  space.write({ 'web.yaml': webApp({ replicas: 1, greeting: '1' }) })
  expect((await space.deploy({ app: 'web', manifests: 'web.yaml' })).outputs).toMatchObject({ result: 'deployed' })
})
afterAll(() => space.remove())

const rights = RIGHTS.flatMap(({ resources, verbs }) => resources.flatMap(resource => verbs.map(verb => ({ verb, resource }))))
const needed = rights.filter(({ verb, resource }) => !DISPENSABLE.includes(`${verb} ${resource}`))

test(`each of the ${needed.length} rights that are needed is missed by name, and nothing is changed`, async () => {
  space.write({ 'web.yaml': manifests('2') })
  grant(space, Object.fromEntries(needed.map(({ verb, resource }) => [`no-${verb}-${resource}`, without(verb, resource)])))
  const before = await live()
  const queue = [...needed]
  const found: Record<string, string> = {}
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const { verb, resource } = one
      const account = `no-${verb}-${resource}`
      // An app of its own, so that no run waits for another's lock.
      const run = await space.deploy({ app: account, manifests: 'web.yaml', kubeconfig: as(account), 'preflight-wait': '0s' })
      const { result, reason, message = '' } = run.outputs
      const named = new RegExp(`may not [a-z, ]*\\b${verb}\\b[a-z, ]* ${resource}\\b`).test(message)
      found[`${verb} ${resource}`] = result === 'failed' && reason === 'Forbidden' && named ? 'named' : `${reason}: ${message}`
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  expect(found).toEqual(Object.fromEntries(needed.map(({ verb, resource }) => [`${verb} ${resource}`, 'named'])))
  expect(await live()).toBe(before)
})

test('without those that can be done without a bad release is put back all the same', async () => {
  const few = DISPENSABLE.map(right => right.split(' ')).reduce(
    (left, [verb = '', resource = '']) => without(verb, resource, left),
    RIGHTS,
  )
  grant(space, { few })
  space.write({ 'web.yaml': manifests('3', 'exit 3') })
  const run = await space.deploy({ app: 'web', manifests: 'web.yaml', kubeconfig: as('few') })
  expect(run.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
})

test('with exactly these rights a release is deployed, a bad one put back, and a rollback done', async () => {
  grant(space, { exact: RIGHTS })
  const kubeconfig = as('exact')
  space.write({ 'web.yaml': manifests('4') })
  const good = await space.deploy({ app: 'web', manifests: 'web.yaml', kubeconfig })
  expect(good.outputs).toMatchObject({ result: 'deployed' })
  expect(good.annotations).toEqual([])
  space.write({ 'web.yaml': manifests('5', 'exit 3') })
  const bad = await space.deploy({ app: 'web', manifests: 'web.yaml', kubeconfig })
  expect(bad.outputs).toMatchObject({ result: 'rolled-back', reason: 'CrashLoopBackOff' })
  const back = await space.rollback({ app: 'web', to: 'previous', kubeconfig })
  expect(back.outputs).toMatchObject({ result: 'rolled-back' })
})

test('what may be listed and not watched is not followed, and the release is as good', async () => {
  const lists = { apiGroups: ['', 'discovery.k8s.io'], resources: ['services', 'endpointslices'], verbs: ['list'] }
  grant(space, { lists: [...RIGHTS, lists] })
  space.write({ 'web.yaml': manifests('6') })
  const run = await space.deploy({ app: 'web', manifests: 'web.yaml', kubeconfig: as('lists') })
  expect(run.outputs).toMatchObject({ result: 'deployed' })
  expect(run.output).toMatch(/service\/web.* cannot be followed: .*watch/)
})
