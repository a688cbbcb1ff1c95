import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { DeployReport } from '../../src/deploy/engine.ts'
import type { TimelineEntry } from '../../src/deploy/follow.ts'
import type { Culprit } from '../../src/deploy/platform.ts'
import { deployReport } from '../../src/report/deploy-report.ts'
import { timeline } from '../../src/report/timeline.ts'
import { findRollbackWorkflow, wayBackSection } from '../../src/report/way-back.ts'

const REPORT: DeployReport = {
  result: 'failed',
  reason: 'CrashLoopBackOff',
  message: 'It crashed.',
  release: 'k8s://shop/web/8',
  previousRelease: 'k8s://shop/web/7',
  plan: {
    changes: [{ object: 'deployment/web', action: 'change', details: ['replicas 1 -> 2'] }],
    images: [{ workload: 'deployment/web', container: 'app', from: 'web:1', to: `web:2@sha256:${'a'.repeat(64)}` }],
    previousRelease: 'k8s://shop/web/7',
    somethingToGoBackTo: true,
    diff: '',
    takesUpUnfinished: false,
  },
  verdict: undefined,
  culprits: [],
  timeline: [],
  proof: undefined,
  restored: [],
  remedies: [],
  checks: [],
  dryRun: false,
  unfinished: false,
}
const CULPRIT: Culprit = {
  workload: 'deployment/web',
  where: 'pod/web-1 container app',
  reason: 'CrashLoopBackOff',
  message: 'it ended',
  facts: [],
  events: [],
  logs: [{ title: 'Log', lines: ['```', '</details><b>'] }],
  commands: ['kubectl logs web-1'],
  lastingCommands: ['kubectl get events'],
  at: { file: 'k8s/web.yaml', line: 7 },
}
const shown = (more: Partial<DeployReport> = {}): string =>
  deployReport({ ...REPORT, ...more }, { app: 'web', title: 'Deploy', seconds: 12 })

describe('the report', () => {
  test('the verdict is its first line, then the sentence, then what has to be done, then why', () => {
    const text = shown({ remedies: ['kubectl replace -f -'], culprits: [CULPRIT] })
    const order = [
      '## Deploy web: ❌ Failed · `CrashLoopBackOff`',
      'It crashed.',
      '### To finish putting it back',
      '### Why',
      '### What changed',
    ]
    expect(order.map(part => text.indexOf(part))).toEqual(order.map(part => text.indexOf(part)).toSorted((a, b) => a - b))
    expect(text.startsWith(order[0] ?? '')).toBe(true)
    expect(text).toContain('(`k8s/web.yaml:7`)')
  })

  test('images before and now, the digest shortened; the same change of many told once', () => {
    expect(shown()).toContain('| deployment/web app | `web:1` | `web:2@sha256:aaaaaaaaaaaa…` |')
    const images = Array.from({ length: 200 }, (_, index) => ({
      workload: `deployment/w${index}`,
      container: 'app',
      from: 'a:1',
      to: 'a:2',
    }))
    expect(shown({ plan: { ...REPORT.plan, images } })).toContain(
      '| deployment/w0 app, deployment/w1 app, deployment/w2 app and 197 more | `a:1` | `a:2` |',
    )
  })

  test.each([
    ['is still there', [], 'kubectl logs web-1', 'kubectl get events'],
    ['was put back', ['put back deployment/web'], 'kubectl get events', 'kubectl logs web-1'],
  ])('commands are those that work when it %s', (_, restored, has, hasNot) => {
    const text = shown({ culprits: [CULPRIT], restored })
    expect(text).toContain(has)
    expect(text).not.toContain(hasNot)
  })

  test('stays small, and closed, whatever there is to say', () => {
    const many = <T>(one: T): T[] => Array.from({ length: 500 }, () => one)
    const text = shown({
      culprits: many(CULPRIT),
      restored: many('put back x'),
      plan: { ...REPORT.plan, changes: many({ object: 'a', action: 'change' as const, details: [] }) },
      proof: {
        digests: Object.fromEntries(many(0).map((_, index) => [`w${index}`, { app: 'sha256:1' }])),
        revision: '',
        proven: ['So <it> is'],
        doubts: ['Or @not'],
      },
    })
    expect(text.length).toBeLessThan(40_000)
    expect(text).toContain('- ⚠️ Or @\u200bnot')
    expect(text).not.toMatch(/^<b>|<it>/m)
    expect(text).toContain('````text\n```\n</details><b>\n````')
  })
})

describe('the timeline of hundreds of workloads', () => {
  const entries = Array.from({ length: 300 }, (_, index): TimelineEntry[] => [
    { workload: `deployment/w${index}`, state: 'progressing', from: 0, to: 1_000 + index },
    { workload: `deployment/w${index}`, state: index === 7 ? 'CrashLoopBackOff' : 'healthy', from: 1_000 + index, to: 5_000 },
  ]).flat()

  test('shows those that ended badly, then the slowest, and how many there are besides', () => {
    const text = timeline(entries)
    expect(text.match(/section deployment\/w\d+/g)?.map(line => Number(line.replace(/\D/g, '')))).toEqual([
      7,
      ...Array.from({ length: 19 }, (_, index) => 281 + index),
    ])
    expect(text).toContain('and 280 more workloads, 280 of them healthy in the end')
    expect(text.length).toBeLessThan(50_000)
  })
})

describe('the way back', () => {
  const inputs = { app: 'web', namespace: 'shop', to: '7' }
  const env = { GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: 'acme/web' }
  const DISPATCHED =
    'on:\n  workflow_dispatch:\n    inputs:\n      app: {}\n      to: {}\njobs:\n  a:\n    uses: org/deploy-actions/.github/workflows/rollback.yml@v1\n'

  test.each<[what: string, files: Record<string, string>, found: RegExp]>([
    [
      'by the repository’s own workflow',
      { 'back.yml': DISPATCHED },
      /actions\/workflows\/back\.yml\)[\s\S]*gh workflow run back\.yml --repo acme\/web -f app=web -f to=7\n/,
    ],
    [
      'which may ask for an environment',
      { 'back.yml': DISPATCHED.replace('to: {}', 'to: {}\n      environment: {}') },
      /gh workflow run back\.yml[\s\S]*-f environment=/,
    ],
    [
      'one that cannot be run by hand is none',
      { 'back.yml': DISPATCHED.replace('workflow_dispatch', 'workflow_call') },
      /uses: org\/deploy-actions\/rollback@v1\n {2}with:\n {4}app: web/,
    ],
    ['nor one that does something else', { 'ci.yml': 'on: workflow_dispatch\njobs: {}\n' }, /uses: org/],
    ['nor what is no YAML', { 'back.yml': `${DISPATCHED}\n]` }, /uses: org/],
    ['without any', {}, /uses: org/],
  ])('%s', async (_, files, found) => {
    const workspace = mkdtempSync(join(tmpdir(), 'way-back-'))
    mkdirSync(join(workspace, '.github/workflows'), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(workspace, '.github/workflows', name), text)
    expect(wayBackSection({ inputs, workflow: await findRollbackWorkflow(workspace), env })).toMatch(found)
    rmSync(workspace, { recursive: true })
  })
})
