// Platforms: an image that no node of those that can take its pods would run.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { checkPlatforms, platformWarning } from '../../../src/kubernetes/preflight/platforms.ts'
import { cluster, context, deployment } from './scene.ts'

test.each<[what: string, built: string[], nodes: string[], warns: boolean]>([
  ['built for another platform', ['linux/arm64'], ['linux/amd64'], true],
  ['built for several, none of them', ['linux/arm64', 'linux/s390x'], ['linux/amd64'], true],
  ['built for the one there is', ['linux/amd64'], ['linux/amd64'], false],
  ['built for one of several', ['linux/arm64', 'linux/amd64'], ['linux/amd64'], false],
  ['some nodes fit: the scheduler is not told, but it may go well', ['linux/amd64'], ['linux/amd64', 'linux/arm64'], false],
  ['nothing known of the image', [], ['linux/amd64'], false],
  ['nothing known of the nodes', ['linux/arm64'], [], false],
])('%s', (_, built, nodes, warns) => {
  expect(platformWarning('ghcr.io/acme/web:1', 'deployment/web', built, nodes) !== undefined).toBe(warns)
})

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`
const config = JSON.stringify({ os: 'linux', architecture: 'arm64' })
let server: Server
let host: string
beforeAll(async () => {
  const { createHash } = await import('node:crypto')
  const of = `sha256:${createHash('sha256').update(config).digest('hex')}`
  const index = {
    schemaVersion: 2,
    manifests: ['amd64', 'unknown'].map(architecture => ({
      digest: digest('a'),
      platform: { os: architecture === 'unknown' ? 'unknown' : 'linux', architecture },
    })),
  }
  const answers: Record<string, string> = {
    '/v2/arm/manifests/1': JSON.stringify({ schemaVersion: 2, config: { digest: of } }),
    '/v2/many/manifests/1': JSON.stringify(index),
    [`/v2/arm/blobs/${of}`]: config,
  }
  server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' })
    response.end(request.method === 'HEAD' ? undefined : answer)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const node = (architecture: string, more: object = {}): object => ({
  metadata: { name: architecture },
  status: { nodeInfo: { operatingSystem: 'linux', architecture } },
  ...more,
})

test.each<[what: string, image: string, nodes: object[] | number, warnings: RegExp[]]>([
  [
    'an image of one platform',
    'arm:1',
    [node('amd64')],
    [/^Image .*arm:1 of container app of deployment\/web is built for linux\/arm64, and the nodes .* linux\/amd64/],
  ],
  ['on a node of that platform', 'arm:1', [node('amd64'), node('arm64')], []],
  [
    'whose taint keeps the pod away',
    'arm:1',
    [node('amd64'), node('arm64', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })],
    [/linux\/amd64/],
  ],
  ['an index', 'many:1', [node('amd64')], []],
  ['an image that is not there', 'many:2', [node('amd64')], []],
  ['nodes that may not be read', 'arm:1', 403, []],
])('%s', async (_, image, nodes, warnings) => {
  const api = cluster({ '/api/v1/nodes?limit=100': typeof nodes === 'number' ? nodes : { items: nodes } })
  const found = await checkPlatforms(await context(deployment({ image: `${host}/${image}` }), api))
  expect(found).toMatchObject({ findings: [], passedOver: [] })
  expect((found.warnings ?? []).map(({ message }) => message)).toEqual(warnings.map(each => expect.stringMatching(each)))
  expect((found.warnings ?? []).map(({ at }) => at?.file)).toEqual(warnings.map(() => 'web.yaml'))
})
