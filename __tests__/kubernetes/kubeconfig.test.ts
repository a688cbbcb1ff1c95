import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  decodeKubeconfig,
  findTarget,
  parseKubeconfig,
  readDefaultKubeconfig,
  secretsOf,
} from '../../src/kubernetes/kubeconfig.ts'

const CONFIG = `
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: c1, user: alice, namespace: shop}}
- {name: staging, context: {cluster: c2, user: bob}}
- {name: lost, context: {cluster: nowhere, user: bob}}
- {name: nobody, context: {cluster: c1, user: nobody}}
- {name: empty, context: {cluster: c3, user: bob}}
clusters:
- {name: c1, cluster: {server: 'https://admin:hunter2@prod.example:6443'}}
- {name: c2, cluster: {server: 'https://staging.example', proxy-url: 'http://ann:pr%40xy-pass@proxy.example:3128'}}
- {name: c3, cluster: {}}
users:
- {name: alice, user: {token: s3cret-token, client-key-data: a2V5, client-certificate-data: Y2VydA==}}
- name: bob
  user:
    password: 12345678
    exec: {command: aws, args: [eks], env: [{name: AWS_PROFILE, value: ci}, {name: AWS_SECRET_ACCESS_KEY, value: abcdef}]}
- {name: carol, user: {auth-provider: {name: oidc, config: {id-token: idt, refresh-token: rft, client-id: app, token-url: 'https://x'}}}}
`

test('a kubeconfig of aliases that multiply is refused, and is no bug', async () => {
  const levels = Array.from({ length: 25 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`)
  await expect(parseKubeconfig(`a0: &a0 [x]\n${levels.join('\n')}`)).rejects.toMatchObject({ reason: 'InvalidInput' })
})

describe('decodeKubeconfig', () => {
  const base64 = Buffer.from(CONFIG).toString('base64')
  test.each([
    ['plain', CONFIG],
    ['base64', base64],
    ['base64 in lines', base64.replace(/.{76}/g, '$&\n')],
    ['base64 for URLs', Buffer.from(CONFIG).toString('base64url')],
  ])('%s', (_, given) => {
    expect(decodeKubeconfig(given)).toBe(CONFIG)
  })

  test.each([
    ['words', 'the kubeconfig', 'neither YAML nor base64|does not decode to text'],
    ['signs that are not base64', 'abc$def', 'neither YAML nor base64'],
    ['base64 of something else', Buffer.from('hello world').toString('base64'), 'no kubeconfig'],
    ['base64 of bytes', Buffer.from([1, 200, 255, 254, 7, 8]).toString('base64'), 'does not decode to text'],
    ['2 MiB', 'a: b'.repeat(600_000), 'larger than 1 MiB'],
  ])('refuses %s', (_, given, message) => {
    expect(() => decodeKubeconfig(given)).toThrow(
      expect.objectContaining({ reason: 'InvalidInput', message: expect.stringMatching(message) }),
    )
  })
})

describe('parseKubeconfig', () => {
  test.each([
    ['YAML that does not parse', 'a: 1\nusers: [{token: s3cret}\n', /not valid YAML \(line \d+, \w+\)/],
    ['a list', '- token: s3cret', /no kubeconfig/],
    ['a text', 's3cret', /no kubeconfig/],
  ])('%s: refused without quoting any of it', async (_, text, message) => {
    const error = await parseKubeconfig(text).catch(thrown => thrown)
    expect(error).toMatchObject({ reason: 'InvalidInput', message: expect.stringMatching(message) })
    expect(error.message).not.toContain('s3cret')
  })

  test('what is secret in it, and nothing else', async () => {
    expect(secretsOf(await parseKubeconfig(CONFIG)).sort()).toEqual([
      '12345678',
      'a2V5',
      'abcdef',
      'hunter2',
      'idt',
      'pr%40xy-pass',
      'pr@xy-pass',
      'rft',
      's3cret-token',
    ])
  })

  test.each(['https://u:p@ss@h', 'https://u:p%zz@h', 'u:p@h'])('a server of %j shows no password', async server => {
    const config = await parseKubeconfig(CONFIG.replace('https://staging.example', server))
    expect(findTarget(config, 'staging').server).toBe(server.includes('//') ? 'https://h' : 'h')
  })
})

describe('findTarget', () => {
  test.each([
    ['', { context: 'prod', server: 'https://prod.example:6443', user: 'alice', namespace: 'shop', plugin: undefined }],
    ['staging', { context: 'staging', server: 'https://staging.example', user: 'bob', namespace: 'default', plugin: 'aws' }],
  ])('context "%s"', async (wanted, expected) => {
    expect(findTarget(await parseKubeconfig(CONFIG), wanted)).toEqual(expected)
  })

  test.each([
    [
      'stagin',
      CONFIG,
      'The kubeconfig has no context "stagin". It has prod, staging, lost, nobody, empty. Did you mean staging?',
    ],
    ['lost', CONFIG, 'The kubeconfig has context "lost", but no cluster "nowhere" that it names.'],
    ['nobody', CONFIG, 'The kubeconfig has context "nobody", but no user "nobody" that it names.'],
    ['empty', CONFIG, 'The kubeconfig says no server for cluster "c3" of context "empty".'],
    ['', 'apiVersion: v1', 'The kubeconfig has no current-context, and the input "context" names none. It has no contexts.'],
    [
      '',
      'contexts: [{name: a}, 5, {nix: 1}]',
      'The kubeconfig has no current-context, and the input "context" names none. It has a.',
    ],
    ['a', 'contexts: [{name: a}]\nclusters: null', 'The kubeconfig has context "a", but no cluster "" that it names.'],
    ['::error::x', CONFIG, 'The kubeconfig has no context ":\u200b:error::x". It has prod, staging, lost, nobody, empty.'],
  ])('context "%s" of a wrong one', async (wanted, text, message) => {
    const config = await parseKubeconfig(text)
    expect(() => findTarget(config, wanted)).toThrow(expect.objectContaining({ reason: 'InvalidInput', message }))
  })
})

describe('readDefaultKubeconfig', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kc-'))
    writeFileSync(file('one'), CONFIG)
    writeFileSync(file('two'), 'current-context: b\ncontexts: [{name: prod}, {name: b}]')
    writeFileSync(file('broken'), '{')
    writeFileSync(file('nothing'), '')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test.each([
    ['one file', ['one'], 'prod', 'prod staging lost nobody empty'],
    ['a missing and an empty file before it', ['nix', 'nothing', 'one'], 'prod', 'prod staging lost nobody empty'],
    ['two files', ['two', 'one'], 'b', 'b empty lost nobody prod staging'],
  ])('%s', async (_, names, current, contexts) => {
    const config = await readDefaultKubeconfig({ KUBECONFIG: names.map(file).join(':') })
    expect(config?.currentContext).toBe(current)
    expect(config?.contexts.map(context => context.name).sort()).toEqual(contexts.split(' ').sort())
  })

  test('of one name the first file counts, as for kubectl', async () => {
    const config = await readDefaultKubeconfig({ KUBECONFIG: `${file('two')}:${file('one')}` })
    expect(config?.contexts.find(context => context.name === 'prod')).toEqual({ name: 'prod' })
  })

  test('none at all', async () => {
    expect(await readDefaultKubeconfig({ HOME: folder })).toBeUndefined()
  })

  test.each(['broken', '.'])('a file that cannot be used: %s', async name => {
    await expect(readDefaultKubeconfig({ KUBECONFIG: file(name) })).rejects.toMatchObject({
      reason: 'InvalidInput',
      message: expect.stringContaining(folder),
    })
  })
})
