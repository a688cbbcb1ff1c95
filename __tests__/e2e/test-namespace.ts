// A namespace of the sandbox's cluster for one test file: made at the start, removed at the end, with a workspace folder for manifests.
import { execFile, execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sandboxVariables } from '../../sandbox/index.ts'
import type { KubernetesObject } from '../../src/kubernetes/objects.ts'
import { type ActionResult, type RunActionOptions, runAction } from '../harness/run-action.ts'

export class TestNamespace {
  readonly name: string
  readonly workspace: string
  readonly env: Record<string, string>

  constructor(prefix: string) {
    this.name = `${prefix}-${randomUUID().slice(0, 6)}`
    this.workspace = mkdtempSync(join(tmpdir(), 'workspace-'))
    this.env = sandboxVariables()
    this.kubectl(['create', 'namespace', this.name], false)
    // Until then pods are refused; after the API server was cut off the controllers take their time.
    this.kubectl(['wait', '--for=create', 'serviceaccount/default', '--timeout=90s'])
  }

  remove(): void {
    this.kubectl(['delete', 'namespace', this.name, '--wait=false'], false)
    rmSync(this.workspace, { recursive: true, force: true })
  }

  /** Writes files into the workspace. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.workspace, path)), { recursive: true })
      writeFileSync(join(this.workspace, path), content)
    }
  }

  kubectl(argv: readonly string[], namespaced = true, input?: string): string {
    const options = { env: this.env, encoding: 'utf8', maxBuffer: 1 << 26, ...(input === undefined ? {} : { input }) } as const
    return execFileSync('kubectl', [...(namespaced ? ['-n', this.name] : []), ...argv], {
      ...options,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }

  /** An object as it is live; undefined where there is none. */
  get<T = KubernetesObject>(kind: string, name: string): T | undefined {
    const text = this.kubectl(['get', kind, name, '-o', 'json', '--show-managed-fields', '--ignore-not-found'])
    return text === '' ? undefined : (JSON.parse(text) as T)
  }

  /** `{ '1': 'deployed', '2': 'rolled-back' }`: the status of every release record of an app. */
  releases(app: string): Record<string, string> {
    const list = JSON.parse(this.kubectl(['get', 'secrets', '-l', `deploy-actions/app=${app}`, '-o', 'json'])) as {
      items: KubernetesObject[]
    }
    return Object.fromEntries(
      list.items.map(({ metadata }) => [
        metadata.labels?.['deploy-actions/release'] ?? '',
        metadata.labels?.['deploy-actions/status'] ?? '',
      ]),
    )
  }

  deploy(inputs: Readonly<Record<string, string>>, options: Partial<RunActionOptions> = {}): Promise<ActionResult> {
    return this.#run('deploy-k8s', { 'stable-for': '1s', timeout: '90s', ...inputs }, options)
  }

  rollback(inputs: Readonly<Record<string, string>>, options: Partial<RunActionOptions> = {}): Promise<ActionResult> {
    return this.#run('rollback', { 'stable-for': '1s', timeout: '60s', ...inputs }, options)
  }

  #run(action: string, inputs: Readonly<Record<string, string>>, options: Partial<RunActionOptions>): Promise<ActionResult> {
    return runAction({
      action,
      inputs: { namespace: this.name, ...inputs },
      env: this.env,
      workspace: this.workspace,
      ...options,
    })
  }
}

export interface Probe {
  readonly requests: number
  readonly failures: readonly string[]
}

/** Asks a Service on a fresh connection about 20 times a second until `stop` is called. A request may take so many milliseconds. */
export function probe(url: string, patience = 3_000): { stop(): Promise<Probe> } {
  const failures: string[] = []
  let requests = 0
  let going = true
  const loop = (async () => {
    while (going) {
      requests += 1
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(patience), headers: { connection: 'close' } })
        if (!response.ok) failures.push(`${new Date().toISOString()} status ${response.status}`)
        await response.arrayBuffer()
      } catch (error) {
        failures.push(
          `${new Date().toISOString()} ${error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : String(error)}`,
        )
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  })()
  return {
    stop: async () => {
      going = false
      await loop
      return { requests, failures }
    },
  }
}

/** Runs a program and waits, without holding the event loop. */
export function runProgram(program: string, argv: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...argv], { env, encoding: 'utf8' }, (error, stdout) => (error === null ? resolve(stdout) : reject(error)))
  })
}
