// A namespace of the sandbox's cluster for one measurement, and the two contenders in it: the action and kubectl, each timed from exec to exit.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ActionResult, runAction } from '../__tests__/harness/run-action.ts'
import { sandboxEnvironment, sandboxVariables } from '../sandbox/index.ts'

export interface TimedDeploy {
  readonly result: ActionResult
  /** performance.now() at exec and at the end. */
  readonly begun: number
  readonly ended: number
  /** performance.now() when a line that matches was read; undefined where none did. */
  instantOf(pattern: RegExp): number | undefined
  /** The most memory that the action's own process had, in MB. */
  readonly peakMegabytes: number
}

export class BenchNamespace {
  readonly name: string
  readonly env: Readonly<Record<string, string>>
  readonly #workspace: string

  private constructor(name: string, env: Readonly<Record<string, string>>) {
    this.name = name
    this.env = env
    this.#workspace = mkdtempSync(join(tmpdir(), 'bench-'))
  }

  static async create(): Promise<BenchNamespace> {
    const namespace = new BenchNamespace(`bench-${randomUUID().slice(0, 6)}`, sandboxVariables())
    await run(['create', 'namespace', namespace.name], namespace.env)
    // Until then the pods of a new namespace are refused.
    for (let tries = 0; tries < 100; tries++) {
      const found = await namespace.kubectl(['get', 'serviceaccount', 'default', '--ignore-not-found', '-o', 'name'])
      if (found !== '') break
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    return namespace
  }

  /** Without waiting for its pods. */
  async remove(): Promise<void> {
    rmSync(this.#workspace, { recursive: true, force: true })
    await run(['delete', 'namespace', this.name, '--wait=false'], this.env)
  }

  kubectl(argv: readonly string[]): Promise<string> {
    return run(['-n', this.name, ...argv], this.env)
  }

  write(file: string, content: string): string {
    const path = join(this.#workspace, file)
    writeFileSync(path, content)
    return path
  }

  async deploy(app: string, manifests: string, inputs: Readonly<Record<string, string>> = {}): Promise<TimedDeploy> {
    this.write(`${app}.yml`, manifests)
    const memory = join(this.#workspace, `${app}.memory`)
    const hook = this.write('peak-memory.cjs', PEAK_MEMORY)
    const seen: { at: number; text: string }[] = []
    const begun = performance.now()
    const result = await runAction({
      action: 'deploy-k8s',
      inputs: { app, namespace: this.name, manifests: `${app}.yml`, 'stable-for': '0s', timeout: '3m', ...inputs },
      env: { ...this.env, NODE_OPTIONS: `--require=${hook}`, PEAK_MEMORY_FILE: memory },
      workspace: this.#workspace,
      post: false,
      onOutput: text => seen.push({ at: performance.now(), text }),
    })
    const ended = begun + result.seconds * 1_000
    return {
      result,
      begun,
      ended,
      instantOf: pattern => {
        let text = ''
        for (const piece of seen) {
          text += piece.text
          if (pattern.test(text)) return piece.at
        }
        return undefined
      },
      peakMegabytes: Number(readFileSync(memory, 'utf8')) / 1_024,
    }
  }

  /** `kubectl apply` and `kubectl rollout status`, as a workflow without any action would have them. In ms. */
  async applyAndWait(file: string, manifests: string): Promise<number> {
    const path = this.write(file, manifests)
    const begun = performance.now()
    await this.kubectl(['apply', '-f', path])
    await this.kubectl(['rollout', 'status', '-f', path, '--timeout=3m'])
    return performance.now() - begun
  }
}

/** Loaded into the action's process: says at its end how much memory it had. */
const PEAK_MEMORY = `process.on('exit', () => require('fs').writeFileSync(process.env.PEAK_MEMORY_FILE, String(process.resourceUsage().maxRSS)))\n`

function run(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('kubectl', [...argv], { env: { ...env }, encoding: 'utf8', maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`kubectl ${argv.join(' ')}: ${stderr.trim()}`)),
    )
  })
}

export interface Sleeper {
  readonly name: string
  /** Another version is another pod template. */
  readonly version: number
  readonly replicas: number
  readonly image?: string
  readonly command?: readonly string[]
  /** Further fields of the container, and of the pod. */
  readonly container?: Readonly<Record<string, unknown>>
  readonly pod?: Readonly<Record<string, unknown>>
}

/** A Deployment whose pods do nothing, so that all its time is the cluster's and the tool's. */
export function sleeper({ name, version, replicas, image, command, container, pod }: Sleeper): string {
  return `${JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: { app: name }, annotations: { version: String(version) } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'app',
              image: image ?? sandboxEnvironment().BASE_IMAGE,
              command: command ?? ['sleep', '100000'],
              ...container,
            },
          ],
          ...pod,
        },
      },
    },
  })}\n`
}

/** Several documents of one file. */
export const documents = (...objects: readonly string[]): string => objects.join('---\n')
