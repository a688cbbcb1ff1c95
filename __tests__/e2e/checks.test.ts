// Check files against the real cluster: asked through its API server, and deciding whether a release stays.
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { sandboxEnvironment } from '../../sandbox/index.ts'
import { runAction } from '../harness/run-action.ts'
import { startMeteredApp } from './metered-app.ts'
import { TestNamespace } from './test-namespace.ts'
import { webApp } from './web-app.ts'

jest.setTimeout(180_000)

let space: TestNamespace

beforeAll(() => {
  space = new TestNamespace('checks')
})
afterAll(() => space.remove())

/** Asks the Service, which has no public address. */
const checks = (version: string, more = ''): string => `smoke:
  timeout: 6s
  interval: 500ms
  base-url: k8s://${space.name}/web:80
  steps:
    - name: page
      get: /
      expect: {status: 200}
    - name: version
      needs: page
      get: /index.html
      version: {expected: "${version}"}
      consecutive: 4
${more}`

describe('a release that is checked when it is stable', () => {
  test('a file that is wrong is told before anything is changed', async () => {
    space.write({ 'k8s/web.yaml': webApp({ version: '1', replicas: 1 }), 'checks.yml': checks('1').replace('expect:', 'expct:') })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', checks: 'checks.yml' })
    expect(run).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'InvalidInput' } })
    expect(run.annotations[0]).toMatchObject({ file: 'checks.yml', line: 8 })
    expect(run.outputs['message']).toContain('did you mean expect?')
    expect(space.get('deployment', 'web')).toBeUndefined()
  })

  test('it passes, and is marked verified', async () => {
    space.write({ 'checks.yml': checks('1') })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', checks: 'checks.yml' })
    expect(run.outputs['message']).toContain('2 checks passed')
    expect(run).toMatchObject({ conclusion: 'success', outputs: { result: 'deployed' } })
    expect(run.summary).toContain('✅ Checks: passed')
    expect(space.releases('web')).toEqual({ '1': 'verified' })
  })

  test('it fails: the old version is put back, and checked again for not being the new one', async () => {
    // What answers says 2, while 3 was to be deployed.
    space.write({ 'k8s/web.yaml': webApp({ version: '2', replicas: 1 }), 'checks.yml': checks('3') })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', checks: 'checks.yml' })
    expect(run).toMatchObject({ conclusion: 'failure', outputs: { result: 'rolled-back', reason: 'WrongVersion' } })
    expect(run.outputs['message']).toMatch(
      /"version" failed: .*expected version 3, came 2.*was put back and is healthy\. Its checks pass\./,
    )
    expect(run.summary).toMatch(/❌ Checks: failed[\s\S]*✅ Checks of what was put back: passed/)
    expect(space.releases('web')).toEqual({ '1': 'verified', '2': 'rolled-back' })
    expect(space.kubectl(['get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.metadata.annotations.version}'])).toBe('1')
  })

  test('it could not be told: it stays, not verified, and the step is red', async () => {
    const unreachable = '    - name: outside\n      tcp: 127.0.0.1:1\n      timeout: 500ms\n      on-unreachable: inconclusive\n'
    space.write({ 'checks.yml': checks('2', unreachable) })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', checks: 'checks.yml' })
    expect(run).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'Unreachable' } })
    expect(run.outputs['message']).toContain('it stays and is not marked verified')
    expect(space.releases('web')).toEqual({ '1': 'verified', '2': 'rolled-back', '3': 'deployed' })
  })

  test('deployed again without a change it passes, and is verified now', async () => {
    space.write({ 'checks.yml': checks('2') })
    const run = await space.deploy({ app: 'web', manifests: 'k8s', checks: 'checks.yml' })
    expect(run).toMatchObject({ conclusion: 'success', outputs: { result: 'unchanged' } })
    expect(space.releases('web')['3']).toBe('verified')
  })

  test('a rollback is checked, and stays whatever the checks say', async () => {
    const run = await space.rollback({ app: 'web', to: '1', checks: 'checks.yml' })
    expect(run).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'WrongVersion' } })
    expect(space.kubectl(['get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.metadata.annotations.version}'])).toBe('1')
  })
})

describe('a release that is watched by its metrics when it is stable', () => {
  const { PROMETHEUS_URL: url = '', PROMETHEUS_TARGETS: targets = '' } = sandboxEnvironment()
  /** The app that Prometheus sees stands for the release's pods, which this cluster's Prometheus does not scrape. */
  const gate = (name: string): string => `gate:
  prometheus: {url: '${url}'}
  duration: 6s
  interval: 500ms
  window: 4s
  queries:
    - name: errors
      preset: prom-client/error-rate
      labels: {app: ${name}}
      minimum-events: 20
`
  test.each<[what: string, errorRate: number, result: string, reason: string, status: string]>([
    ['well', 0, 'deployed', '', 'verified'],
    ['bad', 0.5, 'rolled-back', 'ThresholdExceeded', 'rolled-back'],
  ])('%s', async (what, errorRate, result, reason, status) => {
    const app = `gated-${what}`
    const metered = await startMeteredApp(targets, `${app}-${space.name}`)
    try {
      metered.errorRate = errorRate
      await new Promise(done => setTimeout(done, 6_000))
      space.write({ [`${app}/web.yaml`]: webApp({ name: app, version: '1', replicas: 1 }) })
      await space.deploy({ app, manifests: app })
      space.write({
        [`${app}/web.yaml`]: webApp({ name: app, version: '2', replicas: 1 }),
        'gate.yml': gate(`${app}-${space.name}`),
      })
      const run = await space.deploy({ app, manifests: app, checks: 'gate.yml' })
      expect(run.outputs).toMatchObject({ result, reason })
      expect(run.summary).toContain('xychart-beta')
      expect(space.releases(app)['2']).toBe(status)
    } finally {
      await metered.close()
    }
  })
})

describe('smoke-test through the API server', () => {
  const smoke = (file: string): ReturnType<typeof runAction> => {
    space.write({ 'smoke.yml': file })
    return runAction({ action: 'smoke-test', inputs: { checks: 'smoke.yml' }, env: space.env, workspace: space.workspace })
  }

  test('redirects and captured addresses stay with the Service, and nothing else of the cluster is asked', async () => {
    const secret = `/api/v1/namespaces/${space.name}/secrets/db`
    space.kubectl(['create', 'secret', 'generic', 'db', '--from-literal=password=hunter2'])
    const serve = [
      'mkdir -p /w/jobs/7 /w/cgi-bin; cd /w; echo {} > index.html; printf done > jobs/7/index.html',
      `echo '{"path":"/jobs/7/","here":"http://localhost/jobs/7/","other":"${secret}"}' > give`,
      String.raw`printf '#!/bin/sh\nprintf "Status: 302 Found\\r\\nLocation: %%s\\r\\n\\r\\n" "$QUERY_STRING"\n' > cgi-bin/go`,
      'chmod +x cgi-bin/go; exec httpd -f -p 8080 -h /w',
    ].join('; ')
    space.write({ 'jobs/web.yaml': webApp({ name: 'jobs', replicas: 1, command: serve }) })
    await space.deploy({ app: 'jobs', manifests: 'jobs' })
    const step = await smoke(`smoke:
  timeout: 6s
  interval: 500ms
  fail-fast: false
  failure-limit: 0
  base-url: k8s://${space.name}/jobs:80
  steps:
    - {name: slash, get: /jobs/7, expect: {body: done}}
    - {name: within, get: "/cgi-bin/go?/jobs/7/", expect: {body: done}}
    - {name: give, get: /give, capture: {path: .path, here: .here, other: .other}}
    - {name: path, get: "\${path}", expect: {body: done}}
    - {name: here, get: "\${here}", expect: {body: done}}
    - {name: other, get: "\${other}", expect: {status: 404}}
    - {name: header, get: "/cgi-bin/go?/jobs/7/", redirects: 0, expect: {status: 302}, capture: {where: "header:location"}}
    - {name: where, get: "\${where}", expect: {body: done}}
    - {name: out, get: "/cgi-bin/go?http://localhost:80${secret}"}
    - {name: up, get: "/cgi-bin/go?../../../../secrets/db"}
`)
    const told = [...step.summary.matchAll(/^\| (\w+) \| (.+?) \|/gm)].map(([, name, result]) => `${name} ${result}`)
    const passed = ['slash', 'within', 'give', 'path', 'here', 'other', 'header', 'where'].map(name => `${name} ✅`)
    expect(told.slice(1)).toEqual([...passed, 'out ❌ WrongRedirect', 'up ❌ WrongRedirect'])
    expect(step.summary + step.output).not.toMatch(/hunter2|aHVudGVyMg/)
  })

  test('a Service is asked by its name', async () => {
    const step = await smoke(checks('1'))
    expect(step).toMatchObject({ conclusion: 'success', outputs: { result: 'passed', passed: '2' } })
    expect(step.summary).toContain('page')
    expect(step.orphans).toEqual([])
  })

  test('a Service that is not there is a wrong answer', async () => {
    const step = await smoke(checks('1').replaceAll('/web:80', '/nothing:80'))
    expect(step).toMatchObject({ conclusion: 'failure', outputs: { result: 'failed', reason: 'WrongStatus' } })
    expect(step.outputs['message']).toMatch(/came 404.*not found/)
  })
})
