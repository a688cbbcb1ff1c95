// Amazon ECR by its SDK, against a server in this process that answers as ECR does (JSON 1.1).
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createEcrRepository, ecrCredentials, ecrRegistry, hasAwsCredentials } from '../../src/image/ecr.ts'

const REGISTRY = '123456789012.dkr.ecr.eu-west-1.amazonaws.com'
const ECR = { account: '123456789012', region: 'eu-west-1' }

test.each([
  [REGISTRY, ECR],
  ['123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com', { account: '123456789012', region: 'us-gov-west-1' }],
  ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', { account: '123456789012', region: 'cn-north-1' }],
  ['123456789012.dkr-ecr.eu-west-1.on.aws', ECR],
  ['public.ecr.aws', undefined],
  ['123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example', undefined],
  ['12345.dkr.ecr.eu-west-1.amazonaws.com', undefined],
  ['ghcr.io', undefined],
])('ecrRegistry %s', (registry, expected) => {
  expect(ecrRegistry(registry)).toEqual(expected)
})

test.each([
  [{}, false],
  [{ AWS_ACCESS_KEY_ID: '' }, false],
  [{ AWS_ACCESS_KEY_ID: 'x' }, true],
  [{ AWS_WEB_IDENTITY_TOKEN_FILE: '/t' }, true],
])('hasAwsCredentials %j: %s', (env, expected) => {
  expect(hasAwsCredentials(env)).toBe(expected)
})

describe('the SDK', () => {
  const before = { ...process.env }
  let server: Server
  let asked: { operation: string; region: string; body: unknown }[] = []
  let answer: { status: number; body: object } = { status: 200, body: {} }
  beforeEach(async () => {
    asked = []
    server = createServer((request, response) => {
      let text = ''
      request.on('data', chunk => {
        text += chunk
      })
      request.on('end', () => {
        const operation = String(request.headers['x-amz-target']).split('.')[1] ?? ''
        const region = /Credential=[^/]+\/\d+\/([^/]+)\/ecr/.exec(request.headers.authorization ?? '')?.[1] ?? ''
        asked.push({ operation, region, body: JSON.parse(text || '{}') })
        response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer.body))
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    process.env['AWS_ENDPOINT_URL_ECR'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIDEXAMPLE'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'example'
    process.env['AWS_EC2_METADATA_DISABLED'] = 'true'
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
    process.env = { ...before }
  })

  test('a token, from the region of the registry', async () => {
    const authorizationToken = Buffer.from('AWS:to:ken').toString('base64')
    answer = { status: 200, body: { authorizationData: [{ authorizationToken, proxyEndpoint: `https://${REGISTRY}` }] } }
    expect(await ecrCredentials(REGISTRY, ECR)).toEqual({ username: 'AWS', password: 'to:ken' })
    expect(asked).toEqual([{ operation: 'GetAuthorizationToken', region: 'eu-west-1', body: {} }])
  })
  test.each([
    ['AccessDeniedException', 'Forbidden', /needs the permission ecr:GetAuthorizationToken/],
    ['UnrecognizedClientException', 'Unauthorized', /configure-aws-credentials/],
    ['ExpiredTokenException', 'Unauthorized', /configure-aws-credentials/],
  ])('%s is %s', async (name, reason, words) => {
    answer = { status: 400, body: { __type: name, message: 'no' } }
    await expect(ecrCredentials(REGISTRY, ECR)).rejects.toMatchObject({ reason, message: expect.stringMatching(words) })
  })
  test('no token in the answer', async () => {
    answer = { status: 200, body: { authorizationData: [] } }
    await expect(ecrCredentials(REGISTRY, ECR)).rejects.toMatchObject({ reason: 'Unauthorized' })
  })
  test('a repository is made in the account of the registry', async () => {
    answer = { status: 200, body: { repository: {} } }
    await createEcrRepository(REGISTRY, 'acme/web', ECR)
    expect(asked).toEqual([
      { operation: 'CreateRepository', region: 'eu-west-1', body: { registryId: ECR.account, repositoryName: 'acme/web' } },
    ])
  })
  test('a repository that another run has just made is fine', async () => {
    answer = { status: 400, body: { __type: 'RepositoryAlreadyExistsException', message: 'there' } }
    await createEcrRepository(REGISTRY, 'acme/web', ECR)
  })
  test('a repository that may not be made', async () => {
    answer = { status: 400, body: { __type: 'AccessDeniedException', message: 'no' } }
    await expect(createEcrRepository(REGISTRY, 'acme/web', ECR)).rejects.toThrow(
      /create the repository acme\/web.*ecr:CreateRepository/,
    )
  })
})
