// Files to objects: what entries mean, where fields stand, and every fault in one failure.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseFieldPath } from '../../src/kubernetes/field-path.ts'
import {
  loadManifests,
  loadManifestText,
  type Manifest,
  type ManifestPorts,
  withNamespace,
} from '../../src/kubernetes/manifests.ts'
import { ExpectedFailure } from '../../src/runner/failure.ts'

let root: string
let workspace: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'manifests-'))
  workspace = join(root, 'workspace')
  await mkdir(workspace)
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

const object = (name: string, kind = 'ConfigMap'): string => `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n`

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(workspace, name)), { recursive: true })
    await writeFile(join(workspace, name), content)
  }
}

function load(entries: readonly string[], ports: Partial<ManifestPorts> = {}): Promise<Manifest[]> {
  return loadManifests(entries, { workspace, kustomize: () => Promise.reject(new Error('not asked for')), ...ports })
}

async function failureOf(loading: Promise<unknown>): Promise<ExpectedFailure> {
  const error: unknown = await loading.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ExpectedFailure)) throw error
  expect(error.reason).toBe('InvalidInput')
  return error
}

const names = (manifests: readonly Manifest[]): string[] => manifests.map(({ object: { metadata } }) => metadata.name)

describe('entries', () => {
  beforeEach(() =>
    write({
      'k8s/b.yml': object('b'),
      'k8s/a.yaml': object('a'),
      'k8s/sub/c.json': '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
      'k8s/sub/.hidden.yaml': object('hidden'),
      'k8s/.git/d.yaml': object('hidden'),
      'k8s/README.md': '# no manifest',
      'other/e.txt': object('e'),
      'odd/[x].yaml': object('x'),
    }),
  )
  test.each([
    ['a file', ['k8s/a.yaml'], ['a']],
    ['a file of any name that is named', ['other/e.txt'], ['e']],
    ['a file by a path with ./', ['./k8s/../k8s/a.yaml'], ['a']],
    ['a folder, recursively, by name', ['k8s'], ['a', 'b', 'c']],
    ['a folder with a slash', ['k8s/'], ['a', 'b', 'c']],
    ['a glob', ['k8s/*.yaml'], ['a']],
    ['a glob with braces', ['k8s/*.{yaml,yml}'], ['a', 'b']],
    ['a glob through folders', ['**/*.json'], ['c']],
    ['a glob passes over what is no manifest', ['k8s/*'], ['a', 'b']],
    ['a glob from ./', ['./k8s/**/*.json'], ['c']],
    ['a name that only looks like a glob', ['odd/[x].yaml'], ['x']],
    ['entries in their order', ['k8s/sub', 'k8s/b.yml'], ['c', 'b']],
    ['a file that two entries name, once', ['k8s/b.yml', 'k8s/*.yml', 'k8s'], ['b', 'a', 'c']],
  ])('%s', async (_, entries, expected) => {
    expect(names(await load(entries))).toEqual(expected)
  })

  test('an absolute path within the workspace', async () => {
    const [manifest] = await load([join(workspace, 'k8s/a.yaml')])
    expect(manifest?.source).toEqual({ file: 'k8s/a.yaml', line: 1, column: 1 })
  })

  test.each([
    ['k8s/aa.yaml', '"k8s/aa.yaml" does not exist; did you mean "k8s/a.yaml"?'],
    ['k8s/something-else.yaml', '"k8s/something-else.yaml" does not exist; in k8s there are README.md, a.yaml, b.yml, sub.'],
    ['k9s/a.yaml', '"k9s/a.yaml" does not exist; did you mean "k8s"?'],
    ['deploy/*.yaml', '"deploy/*.yaml" matches nothing; in the workspace there are k8s, odd, other.'],
    ['k8s/*.yam', '"k8s/*.yam" matches no *.yaml, *.yml or *.json file; in k8s there are README.md, a.yaml, b.yml, sub.'],
    ['other', '"other" holds no *.yaml, *.yml or *.json file'],
    ['..', '".." lies outside of the workspace'],
    ['../*.yaml', '"../*.yaml" lies outside of the workspace'],
    ['/etc/passwd', '"/etc/passwd" lies outside of the workspace'],
    ['https://example.com/a.yaml', '"https://example.com/a.yaml" is a URL; only files of the workspace are read'],
    ['a\0b', 'is no path'],
  ])('%j is refused', async (entry, message) => {
    expect((await failureOf(load([entry]))).message).toContain(message)
  })

  test('links out of the workspace are refused, links within it are followed, rings end', async () => {
    await writeFile(join(root, 'secret.yaml'), object('secret'))
    await mkdir(join(root, 'elsewhere'))
    await symlink(join(root, 'secret.yaml'), join(workspace, 'link.yaml'))
    await symlink(join(root, 'elsewhere'), join(workspace, 'folder'))
    await mkdir(join(workspace, 'ring'))
    await symlink(join(workspace, 'ring'), join(workspace, 'ring/again'))
    await symlink(join(workspace, 'k8s/a.yaml'), join(workspace, 'ring/a.yaml'))
    const failure = await failureOf(load(['link.yaml', 'folder', 'folder/*.yaml', 'k8s/b.yml']))
    expect([failure, ...failure.also].map(({ message }) => message)).toEqual([
      expect.stringContaining('"link.yaml" is a link that leads out of the workspace'),
      expect.stringContaining('"folder" is a link that leads out of the workspace'),
      expect.stringContaining('"folder" is a link that leads out of the workspace'),
    ])
    expect(names(await load(['ring']))).toEqual(['a'])
  })
})

describe('kustomization folders', () => {
  const rendered = `${object('one')}---\n${object('two')}`
  beforeEach(() =>
    write({
      'overlays/prod/kustomization.yaml': 'resources: [../../base]',
      'base/Kustomization': '',
      'base/x.yaml': object('x'),
    }),
  )
  test.each([['overlays/prod'], ['overlays/prod/'], ['overlays/prod/kustomization.yaml'], ['overlays/*']])(
    '%s is rendered',
    async entry => {
      const asked: string[] = []
      const kustomize = async (folder: string): Promise<string> => {
        asked.push(folder)
        return rendered
      }
      const manifests = await load([entry], { kustomize })
      expect(asked).toEqual([join(workspace, 'overlays/prod')])
      expect(names(manifests)).toEqual(['one', 'two'])
      expect(manifests[1]?.position(['metadata', 'name'])).toEqual({ file: 'overlays/prod/kustomization.yaml' })
    },
  )
  test('one below a folder that is read file by file is refused', async () => {
    expect((await failureOf(load(['overlays']))).message).toContain('overlays/prod is a kustomization folder below a folder')
  })
  test('what does not render is told with its file', async () => {
    const kustomize = (): Promise<string> => Promise.reject(new ExpectedFailure('InvalidInput', 'no such base.'))
    const failure = await failureOf(load(['base'], { kustomize }))
    expect(failure).toMatchObject({
      message: expect.stringContaining("can't be rendered: no such base."),
      at: { file: 'base/Kustomization' },
    })
  })
  test('a Helm chart is said to be one', async () => {
    await write({ 'charts/web/Chart.yaml': 'name: web', 'charts/web/templates/a.yaml': '{{ x }}' })
    expect((await failureOf(load(['charts']))).message).toContain('charts/web is a Helm chart')
  })
})

describe('faults', () => {
  test('all of all files, in one failure', async () => {
    await write({
      'a.yaml': `${object('a')}---\n- a list\n---\nkind: Service\n`,
      'b.yaml': `apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: b-\n---\n${object('a')}`,
      'c.json': '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 5}',
    })
    const failure = await failureOf(load(['a.yaml', 'b.yaml', 'c.json', 'd.yaml']))
    expect(failure.message).toBe(
      'The manifests have 6 faults; nothing was changed. The first: "d.yaml" does not exist; did you mean "a.yaml"?',
    )
    expect(failure.also).toEqual([
      { message: 'a.yaml:6: an object is expected here, this is a list.', at: { file: 'a.yaml', line: 6, column: 1 } },
      { message: 'a.yaml:8: the object has no apiVersion.', at: { file: 'a.yaml', line: 8, column: 1 } },
      {
        message: expect.stringContaining('b.yaml:4: the Pod has metadata.generateName, which is not supported'),
        at: { file: 'b.yaml', line: 4, column: 3 },
      },
      {
        message: expect.stringContaining('c.json:1: a { or [ is not closed'),
        at: { file: 'c.json', line: 1, column: expect.any(Number) },
      },
      {
        message: 'b.yaml:6: ConfigMap a stands here a second time, the first is a.yaml:1.',
        at: { file: 'b.yaml', line: 6, column: 1 },
      },
    ])
  })

  test.each([
    ['kind: X\nmetadata: {name: a}', 1, 'has no apiVersion'],
    ['apiVersion: v1\nmetadata: {name: a}', 1, 'has no kind'],
    ['apiVersion: 1\nkind: X\nmetadata: {name: a}', 1, 'apiVersion must be text, this is the number 1'],
    ['apiVersion: v1\nkind: X', 1, 'has no metadata.name'],
    ['apiVersion: v1\nkind: X\nmetadata:\n  labels: {}', 3, 'has no metadata.name'],
    [
      'apiVersion: v1\nkind: X\nmetadata:\n  name: 123',
      4,
      'metadata.name must be text, this is the number 123: put it into quotes',
    ],
    [
      'apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  namespace: on',
      5,
      'metadata.namespace must be text, this is the boolean true',
    ],
    [
      'apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  labels:\n    app: a\n    version: 1.10',
      7,
      'metadata.labels[version] must be text',
    ],
    [
      'apiVersion: v1\nkind: X\nmetadata:\n  name: a\n  annotations: [a]',
      5,
      'metadata.annotations must be an object, this is a list',
    ],
    ['just text', 1, 'an object is expected here, this is text'],
    ['apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization', 1, 'this is a kustomization'],
    ['# nothing\n---\n', undefined, 'there is no object'],
    ['apiVersion: v1\nkind: List\nitems: []', undefined, 'there is no object'],
    ['apiVersion: v1\nkind: List\nitems:\n- 5', 4, 'an object is expected here, this is the number 5'],
  ])('%j', async (text, line, message) => {
    const failure = await failureOf(loadManifestText(text, 'stdin'))
    expect(failure.message).toContain(message)
    expect(failure.at?.line).toBe(line)
  })

  test.each([
    ['latin 1', Buffer.from('a: 1\nb: \xe9\n', 'latin1'), 2, 'no UTF-8'],
    ['UTF-16', Buffer.from('\ufeffa: 1', 'utf16le'), undefined, 'UTF-16'],
    ['a compressed file', Buffer.from([0x1f, 0x8b, 8, 0, 0xff]), 1, 'no UTF-8'],
  ])('%s', async (_, content, line, message) => {
    await write({ 'a.yaml': content })
    const failure = await failureOf(load(['a.yaml']))
    expect(failure.message).toContain(message)
    expect(failure.at).toEqual({ file: 'a.yaml', ...(line === undefined ? {} : { line }) })
  })

  test.each([
    [{ fileBytes: 1024 * 1024 }, { 'a.yaml': `# ${'x'.repeat(1024 * 1024)}` }, 'larger than the 1 MiB that are read'],
    [
      { totalBytes: 1024 },
      { 'a.yaml': `${object('a')}#${'x'.repeat(600)}`, 'b.yaml': `${object('b')}#${'x'.repeat(600)}` },
      'in all',
    ],
    [{ files: 1 }, { 'a.yaml': object('a'), 'b.yaml': object('b') }, 'more than 1 files'],
    [{ objects: 1 }, { 'a.yaml': object('a'), 'b.yaml': object('b') }, 'more than 1 objects'],
  ])('limits %j', async (limits, files, message) => {
    await write(files)
    expect((await failureOf(load(['.'], { limits }))).message).toContain(message)
  })

  test('foreign text in a message is harmless', async () => {
    const failure = await failureOf(load(['a\n::add-mask::x\u001b[31m.yaml']))
    expect(failure.message).not.toMatch(/\n|\u001b/)
  })

  test('an object is one in all versions of its API; names in other namespaces are others', async () => {
    const text = (apiVersion: string, namespace: string): string =>
      `apiVersion: ${apiVersion}\nkind: Deployment\nmetadata: {name: web, namespace: ${namespace}}\n---\n`
    expect(await loadManifestText(text('apps/v1', 'a') + text('apps/v1', 'b'), 'x')).toHaveLength(2)
    const failure = await failureOf(loadManifestText(text('apps/v1', 'a') + text('apps/v1beta1', 'a'), 'x'))
    expect(failure.message).toContain('Deployment web in the namespace a stands here a second time, the first is x:1')
  })
})

describe('lists', () => {
  test('are taken apart, also one in another', async () => {
    const text = `apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: a}
- apiVersion: apps/v1
  kind: DeploymentList
  items:
  - metadata: {name: b}
`
    const manifests = await loadManifestText(text, 'x.yaml')
    expect(manifests.map(each => each.object)).toEqual([
      { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'a' } },
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'b' } },
    ])
    expect(manifests.map(({ source }) => source.line)).toEqual([4, 10])
    expect(manifests[1]?.position(['metadata', 'name'])).toEqual({ file: 'x.yaml', line: 10, column: 16 })
  })
  test('a kind that only ends so is an object', async () => {
    expect(names(await loadManifestText('apiVersion: acme.io/v1\nkind: AllowList\nmetadata: {name: a}\nspec: {}', 'x'))).toEqual([
      'a',
    ])
  })
})

describe('positions', () => {
  const text = `# first
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: &labels
    app.kubernetes.io/name: web
    a/b: c
spec:
  template:
    metadata:
      labels:
        <<: *labels
        extra: x
    spec:
      containers:
      - name: side
        image: side:1
      - name: web
        imagee: web:1
        ports: [{containerPort: 80, protocol: TCP}, {containerPort: 81, protocol: UDP}]
`
  test.each([
    ['', 6, 1],
    ['spec', 13, 1],
    ['spec.template.spec.containers[1].imagee', 24, 9],
    ['.spec.template.spec.containers[name="web"].imagee', 24, 9],
    ['spec.template.spec.containers[0].resources.limits', 21, 9],
    ['spec.template.spec.containers[7].image', 20, 7],
    ['spec.replicas', 13, 1],
    ['spec.template.spec.containers[1].ports[1].containerPort', 25, 54],
    ['.spec.template.spec.containers[name="web"].ports[containerPort=81,protocol="UDP"].protocol', 25, 73],
    ['metadata.labels[a/b]', 12, 5],
    ['.metadata.labels.app.kubernetes.io/name', 11, 5],
    ['spec.template.metadata.labels.a/b', 12, 5],
    ['spec.template.metadata.labels.extra', 18, 9],
    ['status.nothing', 6, 1],
  ])('%s is on line %d, column %d', async (path, line, column) => {
    const [, manifest] = await loadManifestText(text, 'x.yaml')
    expect(manifest?.position(parseFieldPath(path))).toEqual({ file: 'x.yaml', line, column })
  })
  test('of JSON objects that follow one another', async () => {
    const json =
      '{"apiVersion": "v1", "kind": "T", "metadata": {"name": "a"}}{"apiVersion": "v1", "kind": "T",\n"metadata": {"name": "b"}}'
    const [, manifest] = await loadManifestText(json, 'x.json')
    expect(manifest?.source).toEqual({ file: 'x.json', line: 1, column: 61 })
    expect(manifest?.position(['metadata', 'name'])).toEqual({ file: 'x.json', line: 2, column: 14 })
  })
  test('with Windows line ends', async () => {
    const [, manifest] = await loadManifestText(text.replaceAll('\n', '\r\n'), 'x.yaml')
    expect(manifest?.position(parseFieldPath('spec.template.spec.containers[1].imagee'))).toMatchObject({ line: 24, column: 9 })
  })
})

describe('withNamespace', () => {
  const isNamespaced = (_: string, kind: string): boolean => kind !== 'ClusterRole'
  test('fills in what is missing, keeps what is there, passes over what belongs to the cluster', async () => {
    const manifests = await loadManifestText(
      `${object('a')}---\n${object('b')}  namespace: own\n---\n${object('c', 'ClusterRole')}`,
      'x.yaml',
    )
    const before = JSON.stringify(manifests)
    const filled = await withNamespace(manifests, 'prod', isNamespaced)
    expect(filled.map(({ object: { metadata } }) => metadata.namespace)).toEqual(['prod', 'own', undefined])
    expect(filled[0]?.position(['metadata', 'name'])).toMatchObject({ line: 4 })
    expect(JSON.stringify(manifests)).toBe(before)
  })
  test('two objects that become the same are refused', async () => {
    const manifests = await loadManifestText(`${object('a')}---\n${object('a')}  namespace: prod\n`, 'x.yaml')
    expect((await failureOf(withNamespace(manifests, 'prod', isNamespaced))).message).toContain('a second time')
    expect(await withNamespace(manifests, 'test', async () => true)).toHaveLength(2)
  })
})

test('any bytes of a file give objects or an explained failure', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), fc.constantFrom('', object('a'), '{"kind": "x"'), async (bytes, head) => {
      await write({ 'a.yaml': Buffer.concat([Buffer.from(head), bytes]) })
      const manifests = await load(['a.yaml']).catch((error: unknown) => {
        if (!(error instanceof ExpectedFailure)) throw error
        return []
      })
      for (const each of manifests) expect(typeof each.object.metadata.name).toBe('string')
    }),
    { numRuns: 200 },
  )
})

test('it is all of the objects or none', async () => {
  const good = fc.nat(50).map(number => ({ text: object(`o${number}`), name: `o${number}` as string | undefined, broken: false }))
  const bad = fc
    .constantFrom('kind: X\n', '- a\n', 'a: [\n', 'a: 1\na: 2\n', `${object('x')}  labels: {a: 1}\n`, 'a: *b\n', '%TAG\n')
    .map(text => ({ text, name: undefined as string | undefined, broken: true }))
  const nothing = fc
    .constantFrom('', '# nothing\n', '\n')
    .map(text => ({ text, name: undefined as string | undefined, broken: false }))
  const documents = fc.array(fc.oneof({ weight: 8, arbitrary: good }, bad, nothing), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(documents, fc.nat(6), async (all, split) => {
      const given = all.flatMap(({ name }) => name ?? [])
      const broken = all.some(each => each.broken) || given.length === 0 || new Set(given).size < given.length
      const join = (some: typeof all): string => some.map(({ text }) => text).join('---\n')
      await write({ 'a.yaml': join(all.slice(0, split)) })
      const loading = load(['a.yaml'], { text: { name: 'text', content: join(all.slice(split)) } })
      if (broken) await failureOf(loading)
      else expect(names(await loading)).toEqual(given)
    }),
    { numRuns: 150 },
  )
})

test('of an object with very many faults the first are told', async () => {
  const labels = Array.from({ length: 5_000 }, (_, index) => `    l${index}: 1`).join('\n')
  const failure = await failureOf(loadManifestText(`${object('a')}  labels:\n${labels}\n`, 'x.yaml'))
  expect(failure.message).toMatch(/^The manifests have 50 faults; .*metadata\.labels\[l0\] must be text/)
})

test('what kubectl says of a kustomization is one harmless line', async () => {
  await write({ 'base/kustomization.yaml': 'resources: []' })
  const said = `a\u001b[31m\n::error::b\u0007${'x'.repeat(100_000)}`
  const failure = await failureOf(load(['base'], { kustomize: () => Promise.reject(new ExpectedFailure('InvalidInput', said)) }))
  expect(failure.message).toMatch(/the kustomization can't be rendered: a ::error::bx{100,3000}…/)
  expect(failure.message.length).toBeLessThan(4_000)
})
