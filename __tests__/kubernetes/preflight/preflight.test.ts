// The run of the checks: what is told when, what is waited for, and what each mode does.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ApiFailure } from '../../../src/kubernetes/api.ts'
import { ImageResolver } from '../../../src/kubernetes/image-digests.ts'
import type { PreflightCheck, PreflightFinding } from '../../../src/kubernetes/preflight/finding.ts'
import { explainForbidden, foresee, type PreflightMode, runPreflight } from '../../../src/kubernetes/preflight/preflight.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import { ManualClock } from '../../deploy/manual-clock.ts'
import { cluster, context, deployment, SHOP } from './scene.ts'

const finding = (reason: string, mayYetArrive: boolean, message = `${reason} here.`): PreflightFinding => ({
  reason,
  message,
  object: 'deployment/web',
  at: { file: 'web.yaml', line: 3 },
  mayYetArrive,
})
const LATE = finding('ErrImagePull', true)
const NEVER = finding('Unschedulable', false)

/** A check whose findings are one list a look; the last one stays. */
function check(
  looks: readonly (readonly PreflightFinding[])[],
  passedOver: readonly string[] = [],
): PreflightCheck & { seen: number } {
  const made = Object.assign(
    async () => {
      made.seen += 1
      return { findings: looks[Math.min(made.seen, looks.length) - 1] ?? [], passedOver }
    },
    { seen: 0 },
  )
  return made
}

async function run(checks: readonly PreflightCheck[], { mode = 'on' as PreflightMode, waitMs = 15_000, cancelAfter = 0 } = {}) {
  const clock = new ManualClock()
  const said: string[] = []
  const log = {
    info: (text: string) => void said.push(text),
    warning: (text: string, title = '', at = {}) => void said.push(`${title}: ${text} ${JSON.stringify(at)}`),
    group: (title: string, lines: readonly string[]) => void said.push(`${title}: ${lines.join('|')}`),
  }
  const cancel = new AbortController()
  if (cancelAfter > 0) clock.after(cancelAfter, () => cancel.abort())
  const scene = { ...(await context(deployment())), clock, signal: cancel.signal }
  const start = clock.now()
  let error: unknown
  let done = false
  const running = runPreflight(scene, { mode, waitMs, log }, checks).then(
    () => {
      done = true
    },
    thrown => {
      error = thrown
      done = true
    },
  )
  await clock.advance(0)
  while (!done && (await clock.next())) await clock.advance(0)
  await running
  return {
    error: error as { reason?: string; message?: string; also?: readonly object[] } | undefined,
    said,
    seconds: (clock.now() - start) / 1_000,
  }
}

describe('on', () => {
  test('nothing found: one look, no word', async () => {
    const one = check([[]])
    expect(await run([one, check([[]])])).toEqual({ error: undefined, said: [], seconds: 0 })
    expect(one.seen).toBe(1)
  })

  test('what cannot heal fails at once, with all there is, and comes first', async () => {
    const { error, seconds } = await run([check([[LATE]]), check([[NEVER]])])
    expect(error).toMatchObject({
      reason: 'Unschedulable',
      message: 'Unschedulable here. There is 1 more finding. Nothing was changed.',
      at: { file: 'web.yaml', line: 3 },
      also: [{ message: 'ErrImagePull: ErrImagePull here.', at: { file: 'web.yaml', line: 3 } }],
    })
    expect(seconds).toBe(0)
  })

  test('what may arrive is looked at each second, and only that', async () => {
    const [late, fine] = [check([[LATE], [LATE], []]), check([[]])]
    const { error, said, seconds } = await run([late, fine])
    expect([error, seconds, late.seen, fine.seen]).toEqual([undefined, 2, 3, 1])
    expect(said).toEqual(['Not there yet, waiting up to 15 s: ErrImagePull here.', 'All that the release needs is there now.'])
  })

  test('what never arrives fails when the time is over', async () => {
    const late = check([[LATE]])
    const { error, seconds } = await run([late], { waitMs: 2_500 })
    expect([error?.reason, error?.message, seconds, late.seen]).toEqual([
      'ErrImagePull',
      'ErrImagePull here. It was waited for 2.5 s. Nothing was changed.',
      2.5,
      4,
    ])
  })

  test('no time to wait: it fails at once', async () => {
    const { error, seconds } = await run([check([[LATE]])], { waitMs: 0 })
    expect([error?.message, seconds]).toEqual(['ErrImagePull here. Nothing was changed.', 0])
  })

  test('what turns out hopeless while waiting ends the waiting', async () => {
    const { error, seconds } = await run([check([[LATE], [NEVER]])])
    expect([error?.reason, seconds]).toEqual(['Unschedulable', 1])
  })

  test('a cancel ends the waiting', async () => {
    const { error, seconds } = await run([check([[LATE]])], { cancelAfter: 1_500 })
    expect([error?.reason, seconds]).toEqual(['Cancelled', 1.5])
  })

  test('what is passed over is said once, however often it is looked at', async () => {
    const { said } = await run([check([[LATE], [LATE], []], ['No right to see nodes.'])])
    expect(said.filter(text => text === 'No right to see nodes.')).toHaveLength(1)
  })
})

test('warn: warnings with their places, no waiting, no failure', async () => {
  const { error, said, seconds } = await run([check([[LATE, NEVER]])], { mode: 'warn' })
  expect([error, seconds]).toEqual([undefined, 0])
  expect(said).toEqual([
    'Preflight: ErrImagePull: ErrImagePull here. {"file":"web.yaml","line":3}',
    'Preflight: Unschedulable: Unschedulable here. {"file":"web.yaml","line":3}',
  ])
})

test('off: nothing is looked at', async () => {
  const one = check([[NEVER]])
  expect((await run([one], { mode: 'off' })).error).toBeUndefined()
  expect(one.seen).toBe(0)
})

test('a release that changes nothing costs nothing', async () => {
  const api = cluster()
  const scene = await context(deployment(), api, deployment())
  const log = { info: () => undefined, warning: () => undefined, group: () => undefined }
  await runPreflight(scene, { mode: 'on', waitMs: 0, log }, [check([[NEVER]])])
  expect(api.asked).toEqual([])
})

test.each([false, true])('the real checks on a good release: each thing is asked for once (foreseen: %j)', async ahead => {
  const api = cluster({
    '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews': {
      status: { resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] },
    },
    [`${SHOP}/serviceaccounts/default`]: {},
    [`${SHOP}/configmaps/web`]: { metadata: { name: 'web' }, data: { a: 'b' } },
    '/api/v1/nodes?limit=100': { items: [{ metadata: { name: 'n' }, status: { allocatable: { cpu: '2' } } }] },
  })
  const container = 'imagePullPolicy: Never\nenv: [{ name: A, valueFrom: { configMapKeyRef: { name: web, key: a } } }]'
  const scene = await context(`${deployment({ container })}---\n${deployment({ name: 'api', container })}`, api)
  const log = { info: (text: string) => expect(text).toBe(''), warning: () => undefined, group: () => undefined }
  await runPreflight(scene, { mode: 'on', waitMs: 0, log, foreseen: ahead ? foresee(scene) : undefined })
  expect(api.asked.toSorted()).toEqual([
    `GET ${SHOP}/configmaps/web`,
    `GET ${SHOP}/serviceaccounts/default`,
    'GET /api/v1/nodes?limit=100',
    'LIST /api/v1/namespaces/shop/limitranges',
    'LIST /api/v1/namespaces/shop/resourcequotas',
    `POST ${SHOP}/pods`,
    `POST ${SHOP}/pods`,
    'POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
  ])
})

test('what is foreseen in vain is not told, and fails nothing', async () => {
  const api = cluster({ '/api/v1/nodes?limit=100': 403, [`LIST ${SHOP}/limitranges`]: 403 })
  const scene = await context(deployment(), api)
  const foreseen = foresee(scene)
  const said: string[] = []
  const log = { info: (text: string) => said.push(text), warning: () => undefined, group: () => undefined }
  const asks: PreflightCheck = async ({ reads }) => {
    await reads.list('LimitRange', 'shop')
    return { findings: [], passedOver: [] }
  }
  await runPreflight(scene, { mode: 'on', waitMs: 0, log, foreseen }, [asks])
  expect(said).toEqual([expect.stringMatching(/limitranges in namespace shop\.$/)])
})

test('an API server that is away is no finding: it is told as what it is', async () => {
  const api = cluster()
  const away = {
    ...api,
    request: () => Promise.reject(new ApiFailure(0, 'Unreachable', 'connection refused', { transient: true })),
  }
  const scene = await context(deployment({ container: 'envFrom: [{ secretRef: { name: s } }]' }), away)
  const log = { info: () => undefined, warning: () => undefined, group: () => undefined }
  await expect(runPreflight(scene, { mode: 'on', waitMs: 0, log })).rejects.toMatchObject({ reason: 'Unreachable' })
})

describe('a refusal before the checks could run', () => {
  const log = { group: () => undefined }
  const forbidden = new ExpectedFailure('Forbidden', 'Reading deployment/web failed: ci may not get deployments.apps.')
  const WHO = { '/apis/authentication.k8s.io/v1/selfsubjectreviews': { status: { userInfo: { username: 'ci' } } } }
  const ACCESS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

  test('becomes all the rights that are missing', async () => {
    const scene = await context(deployment(), cluster({ ...WHO, [ACCESS]: { status: { allowed: false } } }))
    expect(await explainForbidden(scene, forbidden, log)).toMatchObject({
      reason: 'Forbidden',
      message: expect.stringMatching(
        /^ci may not get, patch, create, delete, list, watch deployments\.apps .* There are 5 more findings\. Nothing was changed\.$/,
      ),
    })
  })

  test.each<[string, unknown, object]>([
    ['one that no missing right explains', forbidden, { [ACCESS]: { status: { allowed: true } } }],
    ['where rights are not told', forbidden, { [ACCESS]: 403 }],
    ['another failure', new ExpectedFailure('NotFound', 'no namespace'), {}],
    ['a bug', new TypeError('x'), {}],
  ])('%s stays as it is', async (_, error, answers) => {
    expect(await explainForbidden(await context(deployment(), cluster({ ...answers })), error, log)).toBe(error)
  })
})

test('whatever an object that could not be tried holds, nothing is thrown', async () => {
  const value = fc.jsonValue({ maxDepth: 3 })
  const field = fc.constantFrom(
    'containers',
    'initContainers',
    'volumes',
    'imagePullSecrets',
    'tolerations',
    'nodeSelector',
    'affinity',
    'resources',
    'serviceAccountName',
    'priorityClassName',
    'runtimeClassName',
    'overhead',
    'schedulingGates',
  )
  const container = fc.dictionary(
    fc.constantFrom('name', 'env', 'envFrom', 'resources', 'imagePullPolicy', 'command', 'args', 'restartPolicy'),
    value,
  )
  const kind = fc.constantFrom(
    'Deployment',
    'StatefulSet',
    'DaemonSet',
    'Job',
    'Pod',
    'Service',
    'PersistentVolumeClaim',
    'LimitRange',
  )
  const range = {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'l' },
    spec: {
      limits: [
        { type: 'Container', max: { cpu: '1' } },
        { type: 'Pod', max: { cpu: '1' } },
      ],
    },
  }
  const quota = {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'q' },
    spec: { hard: { cpu: '1' } },
    status: { hard: { cpu: '1' } },
  }
  const node = {
    metadata: { name: 'n' },
    spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] },
    status: { allocatable: { cpu: '2' } },
  }
  await fc.assert(
    fc.asyncProperty(
      kind,
      fc.dictionary(field, value),
      container,
      fc.dictionary(
        fc.constantFrom(
          'selector',
          'replicas',
          'strategy',
          'volumeClaimTemplates',
          'limits',
          'storageClassName',
          'parallelism',
          'tls',
        ),
        value,
      ),
      value,
      async (of, pod, app, spec, labels) => {
        const api = cluster({
          [`LIST ${SHOP}/limitranges`]: [range],
          [`LIST ${SHOP}/resourcequotas`]: [quota],
          '/api/v1/nodes?limit=100': { items: [node] },
        })
        const scene = await context('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }', api)
        const [step] = scene.steps
        if (step === undefined) return
        const template = {
          metadata: { labels },
          spec: { containers: [{ ...app, image: 'ghcr.io/acme/web:1', imagePullPolicy: 'Never' }], ...pod },
        }
        const group =
          of === 'Job' ? 'batch/v1' : ['Pod', 'Service', 'PersistentVolumeClaim', 'LimitRange'].includes(of) ? 'v1' : 'apps/v1'
        const own = of === 'Pod' ? template.spec : { ...spec, template }
        const body = { apiVersion: group, kind: of, metadata: { name: 'a', namespace: 'shop' }, spec: own }
        const quiet = { info: () => undefined, warning: () => undefined, group: () => undefined }
        const images = new ImageResolver({ credentials: async () => undefined })
        images.resolve = async () => ({ missing: true })
        const steps = [{ ...step, body, desired: undefined }]
        const release = { ...scene, images, steps }
        await runPreflight(release, { mode: 'warn', waitMs: 0, log: quiet, foreseen: foresee(release) })
      },
    ),
    { numRuns: 150, examples: [['Deployment', { serviceAccountName: { toString: 0 } }, {}, {}, {}]] },
  )
})
