// Images: what the registry says, what the pod may pull, and what is none of our business.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseReference } from '../../../src/image/reference.ts'
import {
  digestsOfTag,
  type ImageResolution,
  ImageResolver,
  pinDigests,
  resolveImages,
} from '../../../src/kubernetes/image-digests.ts'
import { loadManifestText } from '../../../src/kubernetes/manifests.ts'
import { checkImages, decideImage, type ImageFacts, isOn } from '../../../src/kubernetes/preflight/image-pulls.ts'
import { credentialsOf, matches } from '../../../src/kubernetes/preflight/pull-secrets.ts'
import { ManualClock, settle } from '../../deploy/manual-clock.ts'
import { cluster, context, deployment, SHOP } from './scene.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const FOUND: ImageResolution = { digest: DIGEST }
const MISSING: ImageResolution = { missing: true }
const REFUSED: ImageResolution = { unknown: 'ghcr.io refuses to show it', refused: true }
const AWAY: ImageResolution = { unknown: "The registry ghcr.io can't be reached", refused: false }

describe('one image', () => {
  const facts = (more: Partial<ImageFacts>): ImageFacts => ({
    image: 'ghcr.io/acme/web:1',
    container: 'app',
    policy: 'IfNotPresent',
    resolution: FOUND,
    asPod: [],
    onNode: false,
    ...more,
  })
  const asPod = (...resolutions: ImageResolution[]): ImageFacts['asPod'] =>
    resolutions.map(resolution => ({ secret: 'secret/regcred', resolution }))

  test.each<[string, Partial<ImageFacts>, string]>([
    ['is there', {}, 'fine'],
    ['is missing', { resolution: MISSING }, 'ErrImagePull, may arrive'],
    ['is missing, and never pulled', { resolution: MISSING, policy: 'Never' }, 'fine'],
    ['is missing, but on a node', { resolution: MISSING, onNode: true }, 'said'],
    ['is missing, on a node, always pulled', { resolution: MISSING, onNode: true, policy: 'Always' }, 'ErrImagePull, may arrive'],
    ['is not for the runner to see', { resolution: REFUSED }, 'said'],
    ["is in a registry that can't be reached", { resolution: AWAY }, 'said'],
    ["is in a registry that can't be reached, and on a node", { resolution: AWAY, onNode: true }, 'fine'],
    [
      'is no reference',
      { image: 'Acme/Web:1', resolution: { invalid: '"Acme/Web:1" is no image reference.' } },
      'InvalidImageName',
    ],
    ['is pulled by the pod', { resolution: AWAY, asPod: asPod(FOUND) }, 'fine'],
    ['is pulled by one secret of two', { asPod: asPod(REFUSED, FOUND) }, 'fine'],
    ["is refused to the pod's secret, though the runner may have it", { asPod: asPod(REFUSED) }, 'ErrImagePull, may arrive'],
    [
      'is refused at a registry to which nodes log in',
      { image: '1.dkr.ecr.eu-west-1.amazonaws.com/web:1', asPod: asPod(REFUSED) },
      'said',
    ],
    ["is missing for the pod's secret", { asPod: asPod(MISSING) }, 'ErrImagePull, may arrive'],
    ['is behind a registry that the pod may reach', { asPod: asPod(AWAY) }, 'said'],
    ['is refused by one, unreachable for another', { asPod: asPod(REFUSED, AWAY) }, 'said'],
  ])('%s', (_, more, expected) => {
    const decision = decideImage(facts(more), 'container app of deployment/web')
    const outcome =
      'finding' in decision
        ? `${decision.finding.reason}${decision.finding.mayYetArrive ? ', may arrive' : ''}`
        : 'fine' in decision
          ? 'fine'
          : 'said'
    expect(outcome).toBe(expected)
  })

  test.each<[string, string, boolean]>([
    ['ghcr.io/acme/web:1', 'ghcr.io/acme/web:1', true],
    ['nginx', 'docker.io/library/nginx:latest', true],
    ['nginx:1', 'docker.io/library/nginx:2', false],
    [`ghcr.io/acme/web:1@${DIGEST}`, `ghcr.io/acme/web@${DIGEST}`, true],
    ['ghcr.io/acme/web:1', 'ghcr.io/acme/webb:1', false],
  ])('%s on a node that has %s', (image, name, expected) => {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n' },
      status: { images: [{ names: [name] }, { names: null }] },
    }
    expect(isOn({ found: [node] }, image)).toBe(expected)
  })
})

describe("a pod's own credentials", () => {
  test.each<[string, string, boolean]>([
    ['ghcr.io', 'ghcr.io/acme/web', true],
    ['https://ghcr.io', 'ghcr.io/acme/web', true],
    ['https://ghcr.io/v2/', 'ghcr.io/acme/web', true],
    ['ghcr.io/acme', 'ghcr.io/acme/web', true],
    ['ghcr.io/acm', 'ghcr.io/acme/web', false],
    ['*.example.com', 'eu.example.com/web', true],
    ['*.example.com', 'example.com/web', false],
    ['*.example.com', 'a.eu.example.com/web', false],
    ['example.com:5000', 'example.com:5000/web', true],
    ['example.com', 'example.com:5000/web', false],
    ['https://index.docker.io/v1/', 'nginx', true],
    ['docker.io', 'acme/web', true],
    ['quay.io', 'nginx', false],
    ['********************************.com', 'example.com/web', true],
  ])('%s for %s: %s', (key, image, expected) => expect(matches(key, parseReference(image))).toBe(expected))

  const secret = (data: object): Parameters<typeof credentialsOf>[0] => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    ...data,
  })
  const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')
  const auth = Buffer.from('user:pass').toString('base64')
  test.each<[string, object, number]>([
    ['dockerconfigjson', { data: { '.dockerconfigjson': base64({ auths: { 'ghcr.io': { auth } } }) } }, 1],
    ['the old form', { data: { '.dockercfg': base64({ 'ghcr.io': { auth } }) } }, 1],
    [
      'written as text',
      { stringData: { '.dockerconfigjson': JSON.stringify({ auths: { 'ghcr.io': { username: 'user', password: 'pass' } } }) } },
      1,
    ],
    ['of another registry', { data: { '.dockerconfigjson': base64({ auths: { 'quay.io': { auth } } }) } }, 0],
    ['broken', { data: { '.dockerconfigjson': 'AAAA' } }, 0],
    ['of another kind', { data: { password: 'eA==' } }, 0],
    ['empty', {}, 0],
  ])('a Secret %s', (_, data, count) => {
    const found = credentialsOf(secret(data), parseReference('ghcr.io/acme/web:1'))
    expect(found).toEqual(Array.from({ length: count }, () => ({ username: 'user', password: 'pass' })))
  })
})

describe('with a registry', () => {
  let server: Server
  let host: string
  let asked: string[] = []
  const auth = Buffer.from('user:pass').toString('base64')

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}${request.headers.authorization === undefined ? '' : ' with login'}`)
      const [, repository = '', tag = ''] = /^\/v2\/(.*)\/manifests\/(.*)$/.exec(request.url ?? '') ?? []
      if (repository === 'private' && request.headers.authorization !== `Basic ${auth}`)
        return response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
      if (repository === 'silent') return undefined
      if (tag === 'none') return response.writeHead(404).end()
      return response.writeHead(200, { 'docker-content-digest': DIGEST }).end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  test('an image is asked for once; one that is missing is asked for again', async () => {
    asked = []
    const resolver = new ImageResolver({ credentials: async () => undefined })
    const images = [`${host}/web:1`, `${host}/web:none`, `${host}/web:1`, 'Not:An:Image']
    const resolved = await resolveImages(images, resolver)
    expect([...resolved.values()]).toEqual([FOUND, MISSING, { invalid: expect.stringContaining('is no image reference') }])
    await resolveImages(images, resolver)
    expect(asked.sort()).toEqual(['HEAD /v2/web/manifests/1', 'HEAD /v2/web/manifests/none', 'HEAD /v2/web/manifests/none'])
  })

  test('pinned, it is not asked for again, though it is foreseen as well', async () => {
    asked = []
    const resolver = new ImageResolver({ credentials: async () => undefined })
    resolver.foresee(`${host}/web:1`, true)
    const images = [`${host}/web:1`, `${host}/web:1@${DIGEST}`]
    expect([...(await resolveImages(images.slice(0, 1), resolver)).values()]).toEqual([FOUND])
    expect([...(await resolveImages(images, resolver)).values()]).toEqual([FOUND, FOUND])
    await resolver.platforms(`${host}/web:1@${DIGEST}`)
    expect(asked).toEqual(['HEAD /v2/web/manifests/1', `GET /v2/web/manifests/${DIGEST}`])
  })

  test('a tag stands for a digest in each repository', async () => {
    asked = []
    const resolver = new ImageResolver({ credentials: async () => undefined })
    const images = [`${host}/web@${DIGEST}`, `${host}/web:0`, `${host}/side:0@${DIGEST}`, 'Not:An:Image']
    expect(await digestsOfTag('1', images, resolver)).toEqual(new Set([DIGEST]))
    expect(asked.sort()).toEqual(['HEAD /v2/side/manifests/1', 'HEAD /v2/web/manifests/1'])
    expect(await digestsOfTag('none', images, resolver)).toEqual(new Set())
  })

  test('credentials that do not fit are no reason not to see a public image', async () => {
    const resolver = new ImageResolver({ credentials: async () => ({ username: 'a', password: 'b' }) })
    expect(await resolver.resolve(`${host}/web:1`)).toEqual(FOUND)
    expect(await resolver.resolve(`${host}/private:1`)).toEqual({
      unknown: expect.stringContaining('refuses to show it'),
      refused: true,
    })
  })

  test('a registry that never answers is given up after the time limit', async () => {
    const clock = new ManualClock()
    const resolver = new ImageResolver({ credentials: async () => undefined, clock, timeoutMs: 5_000 })
    const answer = resolver.resolve(`${host}/silent:1`)
    await settle(20)
    await clock.advance(5_000)
    expect(await answer).toEqual({ unknown: `${host} did not answer within 5 s`, refused: false })
  })

  test("the pod's secret is used, not the runner's login; an account's secret stands in for it", async () => {
    const config = Buffer.from(JSON.stringify({ auths: { [host]: { auth } } })).toString('base64')
    const api = cluster({
      [`${SHOP}/secrets/regcred`]: { metadata: { name: 'regcred' }, data: { '.dockerconfigjson': config } },
      [`${SHOP}/serviceaccounts/default`]: { imagePullSecrets: [{ name: 'regcred' }] },
    })
    const own = deployment({ image: `${host}/private:1`, pod: 'imagePullSecrets: [{ name: regcred }]' })
    expect(await checkImages(await context(own, api))).toMatchObject({ findings: [], passedOver: [] })
    expect(await checkImages(await context(deployment({ image: `${host}/private:1` }), api))).toMatchObject({
      findings: [],
      passedOver: [],
    })
    const none = await checkImages(
      await context(deployment({ image: `${host}/private:1`, pod: 'imagePullSecrets: [{ name: none }]' }), api),
    )
    expect(none.findings).toEqual([])
    expect(none.passedOver).toEqual([
      'deployment/web names the pull secret none in namespace shop, which is not there: its images are pulled without it.',
      expect.stringMatching(
        /^Whether image .*private:1 can be pulled could not be found out: .* refuses to show it without credentials\.$/,
      ),
    ])
  })

  test('many images that nobody can see are one sentence', async () => {
    const yaml = ['a', 'b', 'c', 'd'].map(name => deployment({ name, image: `127.0.0.1:9/${name}:1` })).join('---\n')
    const { findings, passedOver } = await checkImages(await context(yaml))
    expect(findings).toEqual([])
    expect(passedOver).toEqual([
      expect.stringMatching(/^Whether image 127\.0\.0\.1:9\/a:1, .* and 1 more can be pulled could not be found out: /),
    ])
  })

  test('the finding stands at the image, also where a sidecar was put before it', async () => {
    const scene = await context(deployment({ image: `${host}/web:none` }))
    const [step] = scene.steps
    if (step === undefined) throw new Error('no step')
    const desired = structuredClone(step.body) as unknown as { spec: { template: { spec: { containers: object[] } } } }
    desired.spec.template.spec.containers.unshift({ name: 'proxy', image: `${host}/proxy:1` })
    const { findings } = await checkImages({ ...scene, steps: [{ ...step, desired: desired as unknown as typeof step.body }] })
    expect(findings).toMatchObject([{ reason: 'ErrImagePull', object: 'deployment/web', at: { file: 'web.yaml', line: 12 } }])
  })
})

test.each<[string, string, ImageResolution, string]>([
  ['a tag', 'ghcr.io/acme/web:1', FOUND, `ghcr.io/acme/web:1@${DIGEST}`],
  ['no tag', 'nginx', FOUND, `nginx@${DIGEST}`],
  ['a digest', `ghcr.io/acme/web@${DIGEST}`, FOUND, `ghcr.io/acme/web@${DIGEST}`],
  ['one that is missing', 'ghcr.io/acme/web:1', MISSING, 'ghcr.io/acme/web:1'],
  ['one that is not known', 'ghcr.io/acme/web:1', REFUSED, 'ghcr.io/acme/web:1'],
])('pinned: %s', async (_, image, resolution, expected) => {
  const manifests = await loadManifestText(deployment({ image }), 'web.yaml')
  const { manifests: pinned, changes } = pinDigests(manifests, new Map([[image, resolution]]))
  expect(JSON.stringify(pinned[0]?.object)).toContain(`"${expected}"`)
  expect(changes).toHaveLength(expected === image ? 0 : 1)
})
