// The connection of a step to its cluster: one `kubectl proxy` on a unix socket of our own, so that every cluster's auth plugin works.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, sleep, systemClock } from '../deploy/clock.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { createApi, type KubernetesApi } from './api.ts'
import { ApiFailure, isAbort } from './api-failure.ts'
import { decodeKubeconfig, findTarget, parseKubeconfig, readDefaultKubeconfig, secretsOf, type Target } from './kubeconfig.ts'
import { explainSpawn, type ProgramResult, runProgram, withoutInputs } from './program.ts'

export interface ConnectOptions {
  /** Content of a kubeconfig, plain or base64. Empty: what kubectl finds by itself (KUBECONFIG, ~/.kube/config, a pod's own account). */
  readonly kubeconfig: string
  /** Empty: the current one. */
  readonly context: string
  readonly env: NodeJS.ProcessEnv
  /** A folder for the kubeconfig and the socket. */
  readonly temporary: string
  readonly log: Pick<Log, 'debug' | 'info' | 'mask'>
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock | undefined
}

export interface Connection {
  readonly api: KubernetesApi
  /** The unix socket on which the proxy answers as the API server. */
  readonly socketPath: string
  readonly context: string
  /** The API server's address, as the kubeconfig says it. */
  readonly server: string
  readonly defaultNamespace: string
  /**
   * Runs kubectl against the same cluster. Its exit code is for the caller to judge.
   * @throws ExpectedFailure when it printed more than `limitBytes` (default 16 MiB)
   */
  kubectl(
    argv: readonly string[],
    options?: { stdin?: string; limitBytes?: number; timeoutMs?: number; signal?: AbortSignal | undefined },
  ): Promise<ProgramResult>
  /** Runs helm, which is told of no cluster. Its exit code is for the caller to judge. @throws ExpectedFailure as kubectl, and when it takes too long */
  helm(argv: readonly string[], options?: { limitBytes?: number; signal?: AbortSignal | undefined }): Promise<ProgramResult>
  /** Ends the proxy and removes the kubeconfig. */
  close(): Promise<void>
}

/** A connection of which it is not known yet whether there is a cluster at its other end. */
export interface OpenedConnection extends Connection {
  /** Resolves when the cluster has answered. Rejects as `connect` does; the connection is then still to be closed. */
  readonly answered: Promise<void>
}

/** Time in which a cluster must answer for the first time, kubectl's own start not counted. */
const FIRST_ANSWER_MS = 10_000
const SOCKET_LOOK_MS = 10
const FIRST_LOOK_MS = 500
const PROXY_START_MS = 10_000
const STDERR_KEPT = 8_192
/** The path of a unix socket holds 104 bytes on macOS, 108 on Linux. */
const LONGEST_SOCKET_PATH = 100
const MOST_RESTARTS = 5
/** A large chart renders in 2 s; what takes this long is caught in a loop. */
const HELM_TIME_MS = 60_000
/**
 * A connection that died without a word is found out by HTTP/2 pings: client-go sends one after 30 s of silence and waits 15 s for its answer,
 * unless told otherwise (seen: a watch and a request over a dead road recovered after 45 s, with these after 15).
 */
const PINGS = { HTTP2_READ_IDLE_TIMEOUT_SECONDS: '10', HTTP2_PING_TIMEOUT_SECONDS: '5' }
/**
 * Without it kubectl drops the path that a server's address may have, as those of API gateways do that have many clusters behind one host (Rancher, loft).
 * kubectl has known it since 1.23; where there is no path it changes nothing.
 */
const APPEND_SERVER_PATH = '--append-server-path'
const SERVICE_ACCOUNT_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'

/**
 * Connects to the cluster and sees that it answers.
 * @throws ExpectedFailure InvalidInput, NotFound (kubectl), Unauthorized, Unreachable
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const connection = await openConnection(options)
  try {
    await connection.answered
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}

/**
 * Resolves as soon as something can be asked, for those who can make use of the first answers at the same time. kubectl has been started when this
 * returns: whatever is loaded or read next does not hold it up.
 * @throws ExpectedFailure as `connect`
 */
export async function openConnection(options: ConnectOptions): Promise<OpenedConnection> {
  const { log, signal } = options
  const clock = options.clock ?? systemClock
  const content = options.kubeconfig.trim() === '' ? undefined : decodeKubeconfig(options.kubeconfig)
  const folder = mkdtempSync(join(shortEnough(options.temporary), 'da-'))
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', removeFolder)
  const file = content === undefined ? undefined : join(folder, 'config')
  const global = [
    ...(file === undefined ? [] : [`--kubeconfig=${file}`]),
    ...(options.context === '' ? [] : [`--context=${options.context}`]),
  ]
  const env = withoutInputs(options.env)
  let proxy: ProxyProcess | undefined
  let api: ReturnType<typeof createApi> | undefined
  const close = async (): Promise<void> => {
    api?.close()
    await proxy?.stop()
    removeFolder()
    process.off('exit', removeFolder)
  }
  try {
    if (file !== undefined && content !== undefined) writeFileSync(file, content, { mode: 0o600, flag: 'wx' })
    const socketPath = join(folder, 's')
    const start = (...flags: readonly string[]): Promise<void> => {
      const argv = ['proxy', `--unix-socket=${socketPath}`, ...flags, ...global]
      proxy = new ProxyProcess(argv, { ...PINGS, ...env }, socketPath, clock)
      return proxy.started(signal)
    }
    // kubectl's start takes the time in which we read the kubeconfig ourselves.
    const started = start(APPEND_SERVER_PATH)
    started.catch(() => undefined)
    const target = await readTarget(content, options)
    try {
      await started.catch((error: unknown) => {
        if (!(error instanceof ProxyEnded) || !error.said.includes(`unknown flag: ${APPEND_SERVER_PATH}`)) throw error
        if (hasPath(target.server)) throw tooOld(target)
        return start()
      })
    } catch (error) {
      throw error instanceof ProxyEnded ? explainEnd(error, target) : error
    }
    api = createApi({ socketPath, clock, log, firstPatienceMs: FIRST_ANSWER_MS })
    const answered = seeThatItAnswers(api, target, () => proxy?.said ?? '', clock, signal).catch(error => {
      throw isAbort(error) ? cancelled(error) : error
    })
    answered.catch(() => undefined)
    return {
      answered,
      api,
      socketPath,
      context: target.context,
      server: target.server,
      defaultNamespace: target.namespace,
      kubectl: (argv, given = {}) => runProgram('kubectl', [...global, ...argv], env, given),
      helm: (argv, given = {}) => runProgram('helm', argv, env, { timeoutMs: HELM_TIME_MS, ...given }),
      close,
    }
  } catch (error) {
    await close()
    throw isAbort(error) ? cancelled(error) : error
  }
}

function cancelled(cause: unknown): ExpectedFailure {
  return new ExpectedFailure('Cancelled', 'Connecting to the cluster was cancelled.', { cause })
}

async function readTarget(content: string | undefined, options: ConnectOptions): Promise<Target> {
  const config = content === undefined ? await readDefaultKubeconfig(options.env) : await parseKubeconfig(content)
  if (config === undefined) return podsOwnTarget(options.env)
  for (const secret of secretsOf(config)) options.log.mask(secret)
  return findTarget(config, options.context)
}

/** A runner that is itself a pod: kubectl then uses the pod's service account. */
async function podsOwnTarget(env: NodeJS.ProcessEnv): Promise<Target> {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? ''
  if (host === '')
    throw new ExpectedFailure(
      'InvalidInput',
      'There is no kubeconfig: give its content by the input "kubeconfig" (from a secret), or let an earlier step write one and set KUBECONFIG.',
    )
  const namespace = await readFile(SERVICE_ACCOUNT_NAMESPACE, 'utf8').catch(() => 'default')
  const server = `https://${host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`
  return {
    context: '',
    server: foreignLine(server),
    user: "the pod's service account",
    namespace: namespace.trim(),
    plugin: undefined,
  }
}

async function seeThatItAnswers(
  api: KubernetesApi,
  target: Target,
  said: () => string,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  let version: { gitVersion?: unknown }
  try {
    version = await api.request('GET', '/version', { signal })
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error
    // The cluster may show its version to nobody; then it is there all the same.
    if (error.status === 403) return
    // The plugin's own words come by another way than the proxy's answer, and may come a little later.
    if (error.reason === 'Credentials') await sleep(clock, 20)
    throw explainNoAnswer(error, target, said())
  }
  if (typeof version?.gitVersion !== 'string') throw noApiServer(target)
}

function noApiServer({ server }: Target): ExpectedFailure {
  return new ExpectedFailure(
    'InvalidInput',
    `What answers at ${server} is no Kubernetes API server. Check "server" in the kubeconfig.`,
  )
}

/** The sentence for a cluster that did not answer a first time. `said` is what kubectl and its plugin wrote to standard error. */
function explainNoAnswer(failure: ApiFailure, target: Target, said: string): ExpectedFailure {
  const { server } = target
  const of =
    target.context === ''
      ? target.user
      : `user "${foreignLine(target.user, 100)}" (context "${foreignLine(target.context, 100)}")`
  const details = { cause: failure }
  switch (failure.reason) {
    case 'Credentials':
      return explainPlugin(failure, target, said)
    case 'Unauthorized':
      return new ExpectedFailure(
        'Unauthorized',
        `The cluster at ${server} refused the credentials of ${of}. They may have expired or belong to another cluster; make new ones.`,
        details,
      )
    case 'Certificate':
      return new ExpectedFailure(
        'Unreachable',
        `No trusted connection to ${server} came about: ${explainTls(failure.message)}`,
        details,
      )
    case 'Unreachable':
      return new ExpectedFailure(
        'Unreachable',
        `The cluster at ${server} can't be reached: ${explainNetwork(failure.message)}`,
        details,
      )
    case 'NoAnswer':
      return new ExpectedFailure(
        'Unreachable',
        `The cluster at ${server} did not answer within ${FIRST_ANSWER_MS / 1_000} s. Check the address, and that a firewall lets this runner through.`,
        details,
      )
    case 'NotJson':
    case 'NotFound':
      return noApiServer(target)
    default:
      return new ExpectedFailure(
        'Unreachable',
        `The cluster at ${server} answers, but with an error: ${line(failure.message)}`,
        details,
      )
  }
}

function explainPlugin(failure: ApiFailure, target: Target, said: string): ExpectedFailure {
  const plugin = foreignLine(target.plugin ?? 'of the kubeconfig', 200)
  const [first = '', ...hints] = failure.message.replace(/^getting credentials:\s*(exec:\s*)?/, '').split(/\n\s*\n/)
  if (/executable .* not found|no such file or directory/.test(first)) {
    const hint = foreignLine(hints.filter(text => !/^(It looks like you are|To learn more)/.test(text)).join(' '), 300)
    return new ExpectedFailure(
      'Unauthorized',
      `The kubeconfig's auth plugin ${plugin} is not installed on this runner. Install it in a step before this one.${hint === '' ? '' : ` Its hint: ${hint}`}`,
      { cause: failure },
    )
  }
  const own = foreignLine(
    // Each request has asked it anew.
    [...new Set(said.split('\n'))].filter(text => !/^[EWI]\d{4} /.test(text) && !failure.message.includes(text.trim())).join(' '),
    400,
  )
  return new ExpectedFailure(
    'Unauthorized',
    `The kubeconfig's auth plugin ${plugin} gave no credentials: ${foreignLine(first, 300)}.${own === '' ? '' : ` It said: ${own}`}`,
    { cause: failure },
  )
}

function explainTls(message: string): string {
  const said = line(message)
  if (
    /unknown authority|not trusted|verify certificate: x509: (?!cannot validate|certificate is valid for|certificate has expired)/.test(
      message,
    )
  )
    return `${said} Check certificate-authority-data in the kubeconfig: it belongs to another cluster, or is missing.`
  if (/has expired|not yet valid/.test(message)) return `${said} Renew the certificate, and check this runner's clock.`
  if (/cannot validate certificate for|certificate is valid for/.test(message))
    return `${said} The address in "server" is not one the certificate was made for.`
  if (/first record does not look like|malformed HTTP/.test(message))
    return `${said} Something else than HTTPS answers there; check "server".`
  return said
}

function explainNetwork(message: string): string {
  const said = line(message)
  if (message.includes('proxyconnect'))
    return `${said} The HTTP proxy on the way (proxy-url in the kubeconfig, or HTTPS_PROXY) does not answer.`
  if (/no such host/.test(message)) return `${said} The name in "server" is not known to this runner's DNS.`
  return `${said} Check "server" in the kubeconfig, and that this runner may reach it.`
}

/** Foreign text as a sentence. */
function line(text: string): string {
  return foreignLine(text).replace(/[.\s]*$/, '.')
}

/** kubectl gave up before it served anything. */
function explainEnd(ended: ProxyEnded, target: Target): ExpectedFailure {
  const text = ended.said.replace(/^error: /gm, '').trim()
  // Without any credentials kubectl asks for a name and a password, and finds nobody at the keyboard.
  if (text === 'EOF' || /Please enter/.test(text))
    return new ExpectedFailure('Unauthorized', `The kubeconfig has no credentials for user "${foreignLine(target.user, 100)}".`)
  const credentials = /certificate input|private key|auth plugin|auth provider|client-cert|client-key/i.test(text)
  return new ExpectedFailure(
    credentials ? 'Unauthorized' : 'InvalidInput',
    `kubectl could not use the kubeconfig: ${text === '' ? `it ended with exit code ${ended.code}.` : line(text)}`,
  )
}

const hasPath = (server: string): boolean => /^([a-z]+:\/\/)?[^/?#]+\/[^/?#]/i.test(server)

function tooOld({ server }: Target): ExpectedFailure {
  return new ExpectedFailure(
    'InvalidInput',
    `The address ${server} has a path, which the kubectl on this runner is too old for: install kubectl 1.23 or newer in a step before this one.`,
  )
}

class ProxyEnded extends Error {
  readonly code: number
  readonly said: string

  constructor(code: number, said: string) {
    super(`kubectl proxy ended with exit code ${code}`)
    this.code = code
    this.said = said
  }
}

/** The child process. It is started again should it die, and dies with us. */
class ProxyProcess {
  readonly #argv: readonly string[]
  readonly #env: NodeJS.ProcessEnv
  readonly #socketPath: string
  readonly #clock: Clock
  readonly #onExit = (): void => this.#kill()
  #child: ChildProcess | undefined
  #stopping = false
  #restarts = 0
  #said = ''

  constructor(argv: readonly string[], env: NodeJS.ProcessEnv, socketPath: string, clock: Clock) {
    this.#argv = argv
    this.#env = env
    this.#socketPath = socketPath
    this.#clock = clock
    process.once('exit', this.#onExit)
  }

  /** The end of what it and its auth plugin wrote to standard error. */
  get said(): string {
    return this.#said
  }

  /** Resolves when it listens. @throws ProxyEnded, ExpectedFailure */
  started(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let stopLooking = (): void => undefined
      const stopWaiting = this.#clock.after(PROXY_START_MS, () =>
        finish(() => reject(new ExpectedFailure('Timeout', `kubectl proxy did not start within ${PROXY_START_MS / 1_000} s.`))),
      )
      const finish = (settle: () => void): void => {
        stopLooking()
        stopWaiting()
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = (): void => finish(() => reject(signal?.reason))
      if (signal?.aborted === true) return onAbort()
      signal?.addEventListener('abort', onAbort, { once: true })
      const child = this.#spawn()
      child.once('error', error => finish(() => reject(explainSpawn('kubectl', error))))
      child.once('close', code => finish(() => reject(new ProxyEnded(code ?? -1, this.#said))))
      // It says "Starting to serve" the moment it listens; looking for the socket is for a kubectl with other words.
      child.stdout?.on('data', (text: Buffer) => text.includes('Starting to serve') && finish(resolve))
      const look = (): void => {
        if (existsSync(this.#socketPath)) finish(resolve)
        else stopLooking = this.#clock.after(SOCKET_LOOK_MS, look)
      }
      // The socket's file is there an instant before anybody listens at it.
      stopLooking = this.#clock.after(FIRST_LOOK_MS, look)
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    process.off('exit', this.#onExit)
    const child = this.#child
    if (child === undefined || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    this.#kill()
    await gone
  }

  #spawn(): ChildProcess {
    // A process group of its own: a Ctrl-C in a terminal must not take away the connection over which everything is put back.
    const child = spawn('kubectl', this.#argv, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    this.#child = child
    const keep = (text: Buffer): void => {
      this.#said = (this.#said + text.toString()).slice(-STDERR_KEPT)
    }
    child.stderr?.on('data', keep)
    child.on('error', () => undefined)
    child.once('spawn', () => child.once('exit', () => this.#restart()))
    return child
  }

  /** Requests are tried again meanwhile, and watches resumed. */
  #restart(): void {
    if (this.#stopping || this.#restarts >= MOST_RESTARTS || !this.#served()) return
    this.#restarts++
    this.#spawn()
  }

  #served(): boolean {
    return existsSync(this.#socketPath)
  }

  /** SIGKILL: it has nothing to put in order, and an auth plugin may hold it up. */
  #kill(): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // It is gone already.
    }
  }
}

function shortEnough(temporary: string): string {
  const longest = join(temporary, 'da-XXXXXX', 's')
  return Buffer.byteLength(longest) <= LONGEST_SOCKET_PATH ? temporary : Buffer.byteLength(tmpdir()) <= 60 ? tmpdir() : '/tmp'
}
