// The demo, told whole: the chain from a commit to a verified release and back, and the same on ECS. And the demo, cancelled.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { sandboxVariables } from '../../sandbox/index.ts'
import { repositoryRoot } from '../../scripts/action-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'demo-e2e-'))
const env = sandboxVariables()
const namespaces: string[] = []
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  kubectl('delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait=false')
})

const kubectl = (...argv: string[]): string => execFileSync('kubectl', argv, { env, encoding: 'utf8' }).trim()

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

function demo(namespace: string, argv: readonly string[], cancelWhen?: (stdout: string) => boolean): Promise<Ended> {
  namespaces.push(namespace)
  const child = spawn(process.execPath, ['demo/main.ts', '--namespace', namespace, ...argv], { cwd: repositoryRoot })
  let [stdout, stderr, cancelled] = ['', '', false]
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk
    if (cancelled || cancelWhen?.(stdout) !== true) return
    cancelled = true
    child.kill('SIGINT')
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
}

/** Rows of the printed table by step: sign, verdict, cause, seconds. */
function rowsOf(stdout: string): string[][] {
  return stdout
    .split('\n')
    .filter(line => /^[✓✗] /.test(line))
    .map(line => line.trim().split(/ {2,}/))
}

const run = process.pid.toString(36)
const seconds = expect.stringMatching(/^\d+\.\d$/)
const onEcs = [
  ['✓', '1.1.0 deploy-ecs', 'deployed', seconds],
  ['✓', '1.2.0 deploy-ecs', 'rolled-back', expect.stringMatching(/^EssentialContainerExited, seen after \d+ s$/), seconds],
  ['✓', '1.3.0 deploy-ecs', 'failed', 'CannotPullContainerError', seconds],
  ['✓', '1.4.0 deploy-ecs', 'rolled-back', expect.stringMatching(/^UnhealthyTarget, seen after \d+ s$/), seconds],
  ['✓', '1.5.0 deploy-ecs', 'deployed', seconds],
]

describe('the demo', () => {
  test('tells its story on real parts, and the Service never stops answering', async () => {
    const report = join(folder, 'demo.html')
    const ended = await demo(`demo-e2e-${run}`, ['--quiet', '--report', report])
    expect(ended).toMatchObject({ code: 0, stderr: '' })
    expect(rowsOf(ended.stdout)).toEqual([
      ['✓', '1.0.0 build-push', 'pushed', seconds],
      ['✓', '1.0.0 deploy-k8s', 'deployed', seconds],
      ['✓', '1.0.0 smoke-test', 'passed', seconds],
      ['✓', '2.0.0 build-push', 'pushed', seconds],
      ['✓', '2.0.0 deploy-k8s', 'deployed', seconds],
      ['✓', '2.0.0 smoke-test', 'passed', seconds],
      ['✓', '3.0.0 build-push', 'pushed', seconds],
      ['✓', '3.0.0 deploy-k8s', 'rolled-back', expect.stringMatching(/^CrashLoopBackOff, seen after \d+ s$/), seconds],
      ['✓', '2.0.0 smoke-test', 'passed', seconds],
      ['✓', '4.0.0 build-push', 'pushed', seconds],
      ['✓', '4.0.0 deploy-k8s', 'deployed', seconds],
      ['✓', '4.0.0 smoke-test', 'failed', 'WrongJson', seconds],
      ['✓', '4.0.0 rollback', 'rolled-back', seconds],
      ['✓', '2.0.0 smoke-test', 'passed', seconds],
      ['✓', '5.0.0 build-push', 'pushed', seconds],
      ['✓', '5.0.0 deploy-k8s', 'deployed', seconds],
      ['✓', '5.0.0 smoke-test', 'passed', seconds],
      ['✓', '5.0.0 monitoring-gate', 'failed', 'ThresholdExceeded', seconds],
      ['✓', '5.0.0 rollback', 'rolled-back', seconds],
      ['✓', '2.0.0 smoke-test', 'passed', seconds],
      ...onEcs,
      [
        '✓',
        'Service, all along',
        expect.stringMatching(/^0 of \d{3,} failed$/),
        expect.stringMatching(/^slowest \d+ ms$/),
        seconds,
      ],
    ])
    for (const line of ended.stdout.split('\n').filter(line => !line.includes('file://')))
      expect(line.length).toBeLessThanOrEqual(100)

    const html = readFileSync(report, 'utf8')
    // Each deployment's timeline and what users saw.
    expect(html.match(/<svg /g)?.length).toBeGreaterThanOrEqual(6)
    expect(html).not.toMatch(/<(script|link|img|iframe)\b|dateFormat|PRIVATE KEY/)
    expect(html).toContain('FATAL: /config/name: no such file')
    expect(html).toContain('aria-label="p95, and its limit"')

    const settings = kubectl('-n', `demo-e2e-${run}`, 'get', 'configmap', 'hello', '-o', 'jsonpath={.data}')
    expect(JSON.parse(settings)).toEqual({ NAME: 'world' })
  })

  test('tells its part on ECS alone, with neither root nor cluster', async () => {
    const report = join(folder, 'ecs.html')
    const child = spawnOnce(['ecs', '--quiet', '--report', report])
    expect(child).toMatchObject({ status: 0, stderr: '' })
    expect(rowsOf(child.stdout)).toEqual(onEcs)
    expect(child.stdout.replace(/\s+/g, ' ')).toContain('1.5.0 serves at the end')
    expect(readFileSync(report, 'utf8')).toContain('FATAL: no DATABASE_URL')
  })

  test('is cancelled by Ctrl-C: the step under way puts back what it changed', async () => {
    const namespace = `demo-e2e-cancel-${run}`
    const report = join(folder, 'cancelled.html')
    const began = 'Release k8s://demo-e2e-cancel'
    // The first release is under way; there is nothing before it.
    const ended = await demo(namespace, ['--report', report], stdout => stdout.replace(/\s+/g, ' ').includes(began))
    expect(ended).toMatchObject({ code: 130, signal: null, stderr: '' })
    expect(ended.stdout).toContain('Cancelled: the step under way puts back what it changed')
    expect(existsSync(report)).toBe(false)
    expect(kubectl('-n', namespace, 'get', 'deployments,services', '-o', 'name')).toBe('')
  })

  test.each([
    [['--namespace', 'kube-system'], 'the demo removes it first'],
    [['--namespace', 'No Name'], 'is no name of a namespace'],
    [['nomad'], 'there is no part "nomad"'],
    [['--color'], "Unknown option '--color'"],
    [['--help'], ''],
  ])('%p: %p, and nothing is touched', (argv, says) => {
    const { status, stdout, stderr } = spawnOnce(argv)
    expect({ status, stderr }).toEqual({ status: says === '' ? 0 : 1, stderr: expect.stringContaining(says) })
    if (says === '') expect(stdout).toMatch(/^usage: npm run demo/)
    else expect(stdout).toBe('')
  })
})

function spawnOnce(argv: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  try {
    const stdout = execFileSync(process.execPath, ['demo/main.ts', ...argv], {
      cwd: repositoryRoot,
      encoding: 'utf8',
      stdio: 'pipe',
    })
    return { status: 0, stdout, stderr: '' }
  } catch (error) {
    return error as { status: number; stdout: string; stderr: string }
  }
}
