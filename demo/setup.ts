// Everything the story needs, made where it is missing: built actions, the sandbox, an empty namespace.
import { execFile, spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { promisify } from 'node:util'
import { sandboxEnvironment, sandboxVariables } from '../sandbox/index.ts'
import { repositoryRoot } from '../scripts/action-file.ts'

export const ACTIONS = ['build-push', 'deploy-k8s', 'deploy-ecs', 'smoke-test', 'monitoring-gate', 'rollback'] as const
export type ActionName = (typeof ACTIONS)[number]

type Say = (line: string) => void

/** Builds the actions unless each bundle is newer than all the sources. */
export async function buildActions(say: Say, signal: AbortSignal): Promise<void> {
  const bundles = ACTIONS.map(name => changedAt(join(repositoryRoot, 'actions', name, 'dist', 'index.js')))
  const sources = [
    ...timesBelow(join(repositoryRoot, 'src')),
    ...ACTIONS.flatMap(name => timesBelow(join(repositoryRoot, 'actions', name, 'src'))),
    ...ACTIONS.map(name => changedAt(join(repositoryRoot, 'actions', name, 'action.yml'))),
    ...['tsconfig.json', 'package-lock.json', 'scripts/bundle.ts'].map(file => changedAt(join(repositoryRoot, file))),
  ]
  const why = whyBuild(bundles, sources)
  if (why === undefined) return say('The actions are built.')
  say(`Building the actions, for ${why} (about 10 s)`)
  await run('npm', ['run', '--silent', 'build'], say, signal)
}

/** Why the actions must be built, by the times at which files were last changed; undefined where they need not. */
export function whyBuild(bundles: readonly (number | undefined)[], sources: readonly (number | undefined)[]): string | undefined {
  const known = bundles.filter(time => time !== undefined)
  if (known.length < bundles.length) return 'some are not built yet'
  const newest = Math.max(0, ...sources.filter(time => time !== undefined))
  return newest > Math.min(...known) ? 'their sources have changed' : undefined
}

function changedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

function timesBelow(folder: string): (number | undefined)[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => changedAt(join(entry.parentPath, entry.name)))
}

/** Brings the sandbox up unless it is. Returns the variables by which it is reached. */
export async function bringUpSandbox(say: Say, signal: AbortSignal): Promise<Record<string, string>> {
  try {
    if (sandboxEnvironment().PROMETHEUS_URL === undefined) throw new Error('the sandbox has no Prometheus')
    say('The sandbox is up.')
  } catch {
    say(
      'Bringing up the sandbox: a cluster, a registry, an image builder and Prometheus. The first time it may build for some minutes.',
    )
    await run(
      process.execPath,
      [join(repositoryRoot, 'sandbox', 'main.ts'), 'up', 'cluster', 'registry', 'builder', 'prometheus'],
      say,
      signal,
    )
  }
  return sandboxVariables({ PATH: process.env['PATH'], HOME: process.env['HOME'] })
}

/** Removes the namespace of an earlier run with all that is in it, and makes it anew. */
export async function resetNamespace(name: string, env: Record<string, string>, say: Say, signal: AbortSignal): Promise<void> {
  const there = await kubectl(['get', 'namespace', name, '--ignore-not-found', '-o', 'name'], env, signal)
  if (there !== '') {
    say(`Removing the namespace ${name} of an earlier run`)
    await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=120s'], env, signal)
  }
  await kubectl(['create', 'namespace', name], env, signal)
  say(`The namespace ${name} is there, and empty.`)
}

/** The Service's address as this machine reaches it: its port on a node where one of its pods runs. @throws Error when it has none */
export async function serviceUrl(
  namespace: string,
  service: string,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const get = (...argv: string[]): Promise<string> => kubectl(['-n', namespace, 'get', ...argv], env, signal)
  const [node, port] = await Promise.all([
    get('pods', '-l', `app=${service}`, '-o', 'jsonpath={.items[0].status.hostIP}'),
    get('service', service, '-o', 'jsonpath={.spec.ports[0].nodePort}'),
  ])
  const url = `http://${node.includes(':') ? `[${node}]` : node}:${port}/`
  if (node === '' || port === '') throw new Error(`service/${service} has no port on a node, or no pod: "${url}"`)
  return url
}

async function kubectl(argv: readonly string[], env: Record<string, string>, signal: AbortSignal): Promise<string> {
  const { stdout } = await promisify(execFile)('kubectl', [...argv], { env, signal, encoding: 'utf8' })
  return stdout.trim()
}

/** Runs a program and hands on each line it prints. @throws Error when it does not end well */
function run(program: string, argv: readonly string[], say: Say, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'pipe'] })
    const cancel = (): void => void child.kill('SIGINT')
    signal.addEventListener('abort', cancel, { once: true })
    for (const stream of [child.stdout, child.stderr]) {
      const decoder = new StringDecoder('utf8')
      let rest = ''
      stream.on('data', (chunk: Buffer) => {
        const lines = (rest + decoder.write(chunk)).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line.trim() !== '') say(line)
      })
      stream.on('end', () => (rest.trim() === '' ? undefined : say(rest)))
    }
    child.on('error', reject)
    child.on('close', code => {
      signal.removeEventListener('abort', cancel)
      if (signal.aborted) reject(signal.reason)
      else if (code === 0) resolve()
      else reject(new Error(`${program} ${argv.join(' ')} ended with ${code}; what it printed is above`))
    })
  })
}
