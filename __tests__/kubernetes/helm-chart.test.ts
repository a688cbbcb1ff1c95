// Helm charts: what helm is told, how its refusals and its templates are placed in the user's files, and which hooks are run.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { ApiFailure, type KubernetesApi } from '../../src/kubernetes/api.ts'
import {
  asksTheCluster,
  capabilitiesOf,
  explainHelm,
  hookOf,
  lineInTemplate,
  templateArguments,
  templatesByLine,
} from '../../src/kubernetes/helm-chart.ts'
import { findValuesFiles } from '../../src/kubernetes/manifest-files.ts'
import { loadManifests } from '../../src/kubernetes/manifests.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chart-'))
})
afterAll(() => rm(folder, { recursive: true }))

const NOTHING = { kubeVersion: '', apiVersions: [] }

describe('what helm is told', () => {
  test('all that was given, each as one argument', () => {
    const argv = templateArguments(
      '/w/chart',
      { values: ['/w/a.yaml', '/w/b.yaml'], set: ['a=1,b=2', 'c=$(rm -rf /)'], setString: ['tag=1.10'] },
      {
        name: 'shop',
        namespace: 'live',
        upgrade: true,
        capabilities: { kubeVersion: 'v1.34.4', apiVersions: ['v1', 'apps/v1'] },
      },
    )
    expect(argv.join('\n')).toBe(
      'template\nshop\n/w/chart\n--namespace=live\n--include-crds\n--skip-tests\n--is-upgrade\n--kube-version=v1.34.4\n--api-versions=v1,apps/v1\n--values=/w/a.yaml\n--values=/w/b.yaml\n--set=a=1,b=2\n--set=c=$(rm -rf /)\n--set-string=tag=1.10',
    )
  })

  test('very many kinds do not fit into one argument', () => {
    const apiVersions = Array.from({ length: 1_200 }, (_, index) => `group${index}.example.com/v1/SomeRatherLongKind${index}`)
    const argv = templateArguments(
      'c',
      { values: [], set: [], setString: [] },
      { name: 'x', namespace: 'y', upgrade: false, capabilities: { kubeVersion: '', apiVersions } },
    )
    expect(argv).toHaveLength(9)
    expect(Math.max(...argv.map(word => word.length))).toBeLessThan(128 * 1024)
  })
})

describe('the capabilities of the cluster', () => {
  const apiWith = (answers: Record<string, unknown>): KubernetesApi =>
    ({
      request: async (_: string, path: string) => {
        const answer = answers[path]
        if (answer instanceof Error) throw answer
        return answer
      },
    }) as unknown as KubernetesApi
  const group = (name: string, version: string, ...kinds: string[]) => ({
    metadata: name === '' ? {} : { name },
    versions: [{ version, resources: kinds.map(kind => ({ responseKind: { kind } })) }],
  })

  test.each<[what: string, answers: Record<string, unknown>, found: unknown]>([
    [
      'a server of today',
      {
        '/version': { gitVersion: 'v1.34.4+k3s1' },
        '/api': { items: [group('', 'v1', 'Pod')] },
        '/apis': { items: [group('apps', 'v1', 'Deployment')] },
      },
      { kubeVersion: 'v1.34.4+k3s1', apiVersions: ['v1', 'v1/Pod', 'apps/v1', 'apps/v1/Deployment'] },
    ],
    [
      'one that knows no aggregated discovery',
      {
        '/version': { gitVersion: 'v1.24.0' },
        '/api': { versions: ['v1'] },
        '/apis': { groups: [{ versions: [{ groupVersion: 'apps/v1' }] }] },
      },
      { kubeVersion: 'v1.24.0', apiVersions: ['v1', 'apps/v1'] },
    ],
    [
      'one that shows nothing',
      {
        '/version': new ApiFailure(403, 'Forbidden', 'no'),
        '/api': new ApiFailure(403, 'Forbidden', 'no'),
        '/apis': new ApiFailure(404, 'NotFound', 'no'),
      },
      NOTHING,
    ],
    ['names that are none', { '/api': { versions: ['v1,--set=x', 'v2'] } }, { kubeVersion: '', apiVersions: ['v2'] }],
  ])('%s', async (_, answers, found) => {
    expect(await capabilitiesOf(apiWith(answers))).toEqual(found)
  })
})

// Recorded from helm 4.3.
describe('what helm refuses', () => {
  const hint = '\n\nUse --debug flag to render out invalid YAML\n'
  test.each<[said: string, message: RegExp, at: object]>([
    [
      "Error: an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: redis, common\n",
      /^it needs the charts redis, common, .* run "helm dependency build charts\/web"/,
      { file: 'charts/web/Chart.yaml' },
    ],
    [
      `Error: execution error at (web/templates/a.yaml:2:6): the host is needed${hint}`,
      /^execution error at \(web\/templates\/a\.yaml:2:6\): the host is needed$/,
      { file: 'charts/web/templates/a.yaml', line: 2 },
    ],
    [
      `Error: web/templates/a.yaml:2:13\n  executing "web/templates/a.yaml" at <.Values.y.z>:\n    nil pointer evaluating interface {}.z${hint}`,
      /at <\.Values\.y\.z>: nil pointer evaluating interface \{\}\.z$/,
      { file: 'charts/web/templates/a.yaml', line: 2 },
    ],
    [
      `Error: parse error at (web/templates/a.yaml:2): unclosed action started at web/templates/a.yaml:1${hint}`,
      /^parse error at/,
      { file: 'charts/web/templates/a.yaml', line: 1 },
    ],
    [
      `Error: web/charts/redis/templates/b.yaml:1:6\n  executing "web/charts/redis/templates/b.yaml" at <include "x" .>:\n    error calling include:\nweb/charts/redis/templates/_helpers.tpl:2:10\n  executing "x" at <.Values.y.z>:\n    nil pointer evaluating interface {}.z${hint}`,
      /error calling include/,
      { file: 'charts/web/charts/redis/templates/_helpers.tpl', line: 2 },
    ],
    [
      `Error: YAML parse error on web/templates/a.yaml: error converting YAML to JSON: yaml: line 3: mapping values are not allowed in this context${hint}`,
      /^YAML parse error on/,
      { file: 'charts/web/templates/a.yaml' },
    ],
    [
      "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- at '/replicas': got string, want integer\n\n",
      /web: - at '\/replicas': got string, want integer$/,
      { file: 'charts/web/Chart.yaml' },
    ],
    ['Error: library charts are not installable\n', /^library charts are not installable$/, { file: 'charts/web/Chart.yaml' }],
    [
      'level=ERROR msg="release name check failed" error="invalid"\nError: release name check failed: release name "Bad": invalid release name\n',
      /^release name check failed: release name "Bad": invalid release name$/,
      { file: 'charts/web/Chart.yaml' },
    ],
    ['', /without a word/, { file: 'charts/web/Chart.yaml' }],
  ])('%j', (said, message, at) => {
    const failure = explainHelm(said, 'charts/web')
    expect(failure.message).toMatch(message)
    expect(failure.at).toEqual(at)
  })

  test('of a packaged chart the package is named', () => {
    expect(explainHelm('Error: invalid chart', 'web-1.tgz').at).toEqual({ file: 'web-1.tgz' })
  })
})

describe('where a rendered field stands', () => {
  test('in the template whose comment is the last before it', () => {
    const at = templatesByLine('---\n# Source: web/templates/a.yaml\na: 1\n---\n# Source: web/charts/db/templates/b.yaml\nb: 1\n')
    expect([at(1), at(3), at(6)]).toEqual([undefined, 'templates/a.yaml', 'charts/db/templates/b.yaml'])
  })

  test.each<[text: string, field: string, line: number | undefined]>([
    ['a: 1\n  b: 2\n', 'b', 2],
    ['- "b": 2\n', 'b', 1],
    ['a: {b: 1}\n', 'b', undefined],
    ['b: 1\nc:\n  b: 2\n', 'b', undefined],
    ['bb: 1\n# b: 2\n', 'b', undefined],
    ['(x): 1\n', '(x)', 1],
  ])('%j: %s', (text, field, line) => expect(lineInTemplate(text, field)).toBe(line))
})

describe('hooks', () => {
  test.each<[hook: unknown, upgrade: boolean, when: string | undefined]>([
    ['pre-install', false, 'before'],
    ['pre-install', true, 'never'],
    ['pre-upgrade', true, 'before'],
    ['pre-upgrade', false, 'never'],
    ['pre-install,pre-upgrade', true, 'before'],
    ['post-install, post-upgrade', false, 'after'],
    ['pre-delete', true, 'never'],
    ['post-rollback', true, 'never'],
    ['test', false, 'never'],
    // As Helm 2 had it, and what is no word of Helm's: an object like others.
    ['crd-install', false, undefined],
    ['PreSync', false, undefined],
    [undefined, false, undefined],
    [7, false, undefined],
  ])('%j, upgrade: %s', (hook, upgrade, when) => {
    expect(hookOf({ annotations: { 'helm.sh/hook': hook } }, upgrade)?.when).toBe(when)
  })

  test.each([
    ['-5', -5],
    ['x', 0],
    [undefined, 0],
  ])('weight %j', (weight, expected) => {
    expect(hookOf({ annotations: { 'helm.sh/hook': 'pre-install', 'helm.sh/hook-weight': weight } }, false)?.weight).toBe(
      expected,
    )
  })
})

describe('charts among the manifests', () => {
  const rendered = `---
# Source: web/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
---
# Source: web/templates/job.yaml
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-weight: "2"}
---
# Source: web/templates/other.yaml
apiVersion: v1
kind: Pod
metadata:
  name: bye
  annotations: {helm.sh/hook: pre-delete}
`
  beforeAll(async () => {
    await mkdir(join(folder, 'charts/web/templates'), { recursive: true })
    await writeFile(join(folder, 'charts/web/Chart.yaml'), 'name: web')
    await writeFile(join(folder, 'charts/web/templates/a.yaml'), '{{ if true }}\nmetadata:\n  name: a\n{{ end }}\n')
    await writeFile(join(folder, 'web-1.0.0.tgz'), 'x')
  })

  test.each([['charts/web'], ['charts/web/Chart.yaml'], ['charts/*'], ['web-1.0.0.tgz'], ['*.tgz']])('%s', async entry => {
    const manifests = await loadManifests([entry], {
      workspace: folder,
      kustomize: () => Promise.reject(new Error('not asked for')),
      chart: async () => ({ text: rendered, upgrade: true }),
    })
    expect(manifests.map(({ object, hook }) => [object.metadata.name, hook])).toEqual([
      ['a', undefined],
      ['migrate', { when: 'before', weight: 2 }],
    ])
    if (!entry.startsWith('charts')) return
    expect(manifests[0]?.position(['metadata', 'name'])).toEqual({ file: 'charts/web/templates/a.yaml', line: 3 })
    expect(manifests[1]?.position(['metadata', 'name'])).toEqual({ file: 'charts/web/templates/job.yaml' })
  })
})

test('files of values', async () => {
  await writeFile(join(folder, 'values.yaml'), 'a: 1')
  expect(await findValuesFiles(['values.yaml'], folder)).toHaveLength(1)
  for (const [entry, says] of [
    ['nothing.yaml', 'there is no file "nothing.yaml"'],
    ['a.b=1', 'a single value is given by set'],
    ['https://example.com/values.yaml', 'is a URL'],
    ['../../../../etc/hosts', 'lies outside of the workspace'],
    ['charts', 'is no file'],
  ])
    await expect(findValuesFiles([entry ?? ''], folder)).rejects.toThrow(says)
})

describe('charts that look objects of the cluster up', () => {
  test.each<[template: string, asks: boolean]>([
    ['{{- $old := lookup "v1" "Secret" .Release.Namespace "x" }}', true],
    ['{{ (lookup "v1" "Secret" "a" "b").data }}', true],
    ['# a table for lookup "x"\n{{ .Values.lookup }}', false],
  ])('%s', async (template, asks) => {
    const chart = await mkdtemp(join(folder, 'c-'))
    await mkdir(join(chart, 'templates'))
    await writeFile(join(chart, 'templates/a.yaml'), template)
    await writeFile(join(chart, 'a.tgz'), gzipSync(template))
    expect(await asksTheCluster(chart)).toBe(asks)
    expect(await asksTheCluster(join(chart, 'a.tgz'))).toBe(asks)
  })
  test('what can not be read asks for nothing', async () => expect(await asksTheCluster(join(folder, 'nowhere'))).toBe(false))
})
