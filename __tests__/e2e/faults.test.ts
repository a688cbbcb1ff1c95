// A deployment that is killed or cancelled at each of its phases, and what becomes of it: whoever comes next finds everything as it was, or puts it back.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import type { ActionResult } from '../harness/run-action.ts'
import { ApiGate, type Match } from './api-gate.ts'
import { runProgram, TestNamespace } from './test-namespace.ts'

jest.setTimeout(120_000)

interface Versioned extends KubernetesObject {
  spec: { template: { metadata: { annotations: Record<string, string> } } }
}

let space: TestNamespace
let gate: ApiGate

/** A small app: a Deployment, and in a bad version a Job that fails at once. */
function app(name: string, version: string, bad = false): string {
  const container = (command: string): string =>
    `      terminationGracePeriodSeconds: 0\n      containers:\n        - name: app\n          image: ${sandboxEnvironment().BASE_IMAGE}\n          command: ["sh", "-c", ${JSON.stringify(command)}]\n`
  const deployment = `apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ${name}\nspec:\n  selector: {matchLabels: {app: ${name}}}\n  template:\n    metadata:\n      labels: {app: ${name}}\n      annotations: {version: "${version}"}\n    spec:\n${container('exec sleep 1000000')}`
  const job = `---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: ${name}-${version}\n  labels: {app: ${name}}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n${container('exit 3')}`
  return bad ? deployment + job : deployment
}

async function deploy(
  name: string,
  options: Parameters<TestNamespace['deploy']>[1] = {},
  through?: ApiGate,
): Promise<ActionResult> {
  const inputs = { app: name, manifests: `${name}.yaml`, 'stable-for': '0s', 'pin-digests': 'false' }
  return space.deploy(through === undefined ? inputs : { ...inputs, kubeconfig: through.kubeconfig }, options)
}

async function kubectl(...argv: string[]): Promise<string> {
  return runProgram('kubectl', ['-n', space.name, ...argv], space.env)
}

async function version(name: string): Promise<string | undefined> {
  const object = JSON.parse(await kubectl('get', 'deployment', name, '-o', 'json')) as Versioned
  return object.spec.template.metadata.annotations['version']
}

async function statuses(name: string): Promise<string[]> {
  const template = '-o=jsonpath={.items[*].metadata.labels.deploy-actions/status}'
  return (
    await kubectl('get', 'secrets', '-l', `deploy-actions/app=${name}`, template.replace('deploy-actions/', 'deploy-actions\\/'))
  ).split(' ')
}

const leases = (name: string): Promise<string> => kubectl('get', 'lease', `${name}.deploy`, '--ignore-not-found', '-o', 'name')

/** The phases of a deployment, each by the request in the middle of it; `bad` where only a release that fails comes there. */
const PHASES: readonly (readonly [phase: string, bad: boolean, when: 'before' | 'after', match: (name: string) => Match])[] = [
  ['it takes the lock', false, 'after', () => (method, url) => method === 'POST' && url.includes('/leases')],
  [
    'it plans',
    false,
    'before',
    name => (method, url) => method === 'PATCH' && url.includes(`/deployments/${name}?`) && url.includes('dryRun'),
  ],
  ['it writes its record', false, 'after', () => (method, url) => method === 'POST' && url.includes('/secrets')],
  [
    'it applies',
    true,
    'after',
    name => (method, url) => method === 'PATCH' && url.includes(`/deployments/${name}?`) && !url.includes('dryRun'),
  ],
  ['it looks for the cause', true, 'after', name => (method, url) => method === 'GET' && url.includes(`/pods/${name}-`)],
  ['it puts back', true, 'before', name => (method, url) => method === 'PUT' && url.includes(`/deployments/${name}?`)],
  ['it records its end', false, 'before', name => (method, url) => method === 'PATCH' && url.includes(`/secrets/${name}.r`)],
]

beforeAll(async () => {
  space = new TestNamespace('faults')
  gate = await ApiGate.open(space.kubectl(['config', 'view', '--raw', '--minify', '--flatten'], false))
})
afterAll(async () => {
  await gate.close()
  space.remove()
})

/** Version 1 of each app is live. */
async function firstReleases(...names: string[]): Promise<void> {
  for (const name of names) space.write({ [`${name}.yaml`]: app(name, '1') })
  for (const run of await Promise.all(names.map(name => deploy(name)))) expect(run.outputs).toMatchObject({ result: 'deployed' })
}

describe('a deployment that is cut off', () => {
  beforeAll(() => firstReleases('next', 'back', 'post', 'stop'))

  /** Deploys one version more, through a gate that does something in the middle of it. */
  async function cutOff(
    name: string,
    bad: boolean,
    match: Match,
    when: Parameters<ApiGate['at']>[1],
    options: (cut: AbortSignal) => Parameters<typeof deploy>[1],
  ): Promise<{ run: ActionResult; before: string; after: string }> {
    const before = (await version(name)) ?? ''
    const after = String(Number(before) + 1)
    space.write({ [`${name}.yaml`]: app(name, after, bad) })
    const own = await ApiGate.open(space.kubectl(['config', 'view', '--raw', '--minify', '--flatten'], false))
    const cut = new AbortController()
    own.at(match, when, () => cut.abort())
    const run = await deploy(name, options(cut.signal), own)
    await own.close()
    expect(cut.signal.aborted).toBe(true)
    return { run, before, after }
  }

  const jobs = (name: string): Promise<string> => kubectl('get', 'jobs', '-l', `app=${name}`, '-o', 'name')

  test.each(PHASES)(
    'while %s: killed, the next deployment, rollback and the post step mend it; cancelled, it does so itself',
    async (phase, bad, when, match) => {
      const byNext = async (): Promise<void> => {
        const { run, after } = await cutOff('next', bad, match('next'), when, kill => ({ kill, post: false }))
        expect(run.signal).toBe('SIGKILL')
        expect(run.outputs).toMatchObject({ result: 'cancelled' })
        space.write({ 'next.yaml': app('next', `${after}0`) })
        // The run again: its earlier attempt is known to be over, so that its lock is nobody's.
        const again = await deploy('next', { github: { run_attempt: '2' } })
        expect(again.outputs).toMatchObject({ result: 'deployed' })
        expect(await version('next')).toBe(`${after}0`)
      }
      const byRollback = async (): Promise<void> => {
        const live = (
          await kubectl('get', 'secrets', '-l', 'deploy-actions/app=back,deploy-actions/status=deployed', '-o', 'json')
        )
          .match(/"deploy-actions\/release": "(\d+)"/g)
          ?.map(found => Number(found.replaceAll(/\D/g, '')))
        const { before } = await cutOff('back', bad, match('back'), when, kill => ({ kill, post: false }))
        if ((await leases('back')) !== '')
          await kubectl(
            'patch',
            'lease',
            'back.deploy',
            '--type=merge',
            '-p',
            '{"spec":{"renewTime":"2020-01-01T00:00:00.000000Z"}}',
          )
        const to = String(Math.max(...(live ?? [])))
        const run = await space.rollback({ app: 'back', to, 'stable-for': '0s' }, { github: { run_id: '4711' } })
        expect(run.conclusion).toBe('success')
        expect(await version('back')).toBe(before)
      }
      const byPost = async (): Promise<void> => {
        const { run, before } = await cutOff('post', bad, match('post'), when, kill => ({ kill }))
        expect(run.post?.exitCode).toBe(0)
        expect(await version('post')).toBe(before)
      }
      const byItself = async (): Promise<void> => {
        const { run, before, after } = await cutOff('stop', bad, match('stop'), 'through', cancel => ({ cancel }))
        expect(run.signal).toBeUndefined()
        // What had failed already, or was as good as done, ends so.
        const late = phase === 'it looks for the cause' || phase === 'it puts back' || phase === 'it records its end'
        if (!late) expect(run.outputs).toMatchObject({ result: 'cancelled', reason: 'Cancelled' })
        expect(await version('stop')).toBe(phase === 'it records its end' ? after : before)
      }
      await Promise.all([byNext(), byRollback(), byPost(), byItself()])
      for (const name of ['next', 'back', 'post', 'stop']) {
        expect(await jobs(name)).toBe('')
        expect(await statuses(name)).not.toContain('pending')
        expect(await leases(name)).toBe('')
      }
    },
  )
})

describe('the lock', () => {
  beforeAll(() => firstReleases('wait', 'lose'))

  test('is waited for as long as lock-timeout says', async () => {
    space.write({ 'wait.yaml': app('wait', '2') })
    const inputs = { app: 'wait', manifests: 'wait.yaml', 'stable-for': '3s', 'lock-timeout': '60s' }
    const runs = await Promise.all(['100', '200'].map(id => space.deploy(inputs, { github: { run_id: id } })))
    expect(runs.map(({ outputs }) => outputs['result']).sort()).toEqual(['deployed', 'unchanged'])
  })

  test('that was lost is noticed, and nothing more is changed', async () => {
    space.write({ 'lose.yaml': app('lose', '2') })
    let taken = false
    const run = await space.deploy(
      { app: 'lose', manifests: 'lose.yaml', 'stable-for': '25s' },
      {
        post: false,
        onOutput: text => {
          if (taken || !text.includes('deployment/lose: 1/1 ready')) return
          taken = true
          space.kubectl(['patch', 'lease', 'lose.deploy', '--type=merge', '-p', '{"spec":{"holderIdentity":"another run"}}'])
        },
      },
    )
    expect(run.outputs).toMatchObject({ result: 'failed', reason: 'Locked' })
    expect(run.outputs['message']).toMatch(/^The lock was lost .*another run holds it now/)
    expect(await version('lose')).toBe('2')
    expect(await statuses('lose')).toEqual(['deployed', 'pending'])
  })
})

describe('the watches', () => {
  beforeAll(() => firstReleases('cut', 'cut-bad'))

  test('are resumed when they are cut, again and again: a good release is deployed, a bad one put back', async () => {
    space.write({ 'cut.yaml': app('cut', '2'), 'cut-bad.yaml': app('cut-bad', '2', true) })
    let cuts = 0
    const cutting = setInterval(() => {
      cuts += gate.cutWatches()
    }, 200)
    setTimeout(() => clearInterval(cutting), 4_000)
    const inputs = (name: string): Record<string, string> => ({
      app: name,
      manifests: `${name}.yaml`,
      kubeconfig: gate.kubeconfig,
    })
    const runs = await Promise.all(['cut', 'cut-bad'].map(name => space.deploy(inputs(name))))
    clearInterval(cutting)
    expect(runs.map(({ outputs }) => outputs['result'])).toEqual(['deployed', 'rolled-back'])
    expect(runs[1]?.outputs).toMatchObject({ reason: 'BackoffLimitExceeded' })
    expect(cuts).toBeGreaterThan(10)
  })
})
