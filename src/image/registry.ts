// A small client of the OCI distribution API: what a tag stands for, whether we may push, and the token flow.
// Source of the protocol: https://github.com/opencontainers/distribution-spec and https://distribution.github.io/distribution/spec/auth/token/
import { createHash } from 'node:crypto'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Credentials } from './credentials.ts'
import { isDigest } from './reference.ts'
import { type Answer, exchange, type Request, TIMEOUT_MS } from './registry-exchange.ts'

const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]
/** The distribution specification has registries take manifests of up to 4 MiB. */
const LARGEST_MANIFEST = 4 * 1024 * 1024
const LARGEST_CONFIG = 8 * 1024 * 1024
/** Waits before the second, third and fourth try, in milliseconds. */
const BACK_OFF_MS = [500, 1_500, 4_000]
const LONGEST_RETRY_AFTER_MS = 10_000
/** What Node says of a connection that may well work the next time; a wrong name, a closed port or a bad certificate stays as it is. */
const PASSING = /^(?:ECONNRESET|EPIPE|EAI_AGAIN)$/
/** A request that ran into the time limit is tried once more, not four times. */
const TRIES_AFTER_TIMEOUT = 1

export interface Manifest {
  readonly digest: string
  readonly mediaType: string
  readonly body: Buffer
}

export interface RegistryOptions {
  readonly registry: string
  readonly repository: string
  readonly credentials?: Credentials | undefined
  readonly signal?: AbortSignal | undefined
  /** Waits so many milliseconds. */
  readonly sleep?: (milliseconds: number) => Promise<void>
}

/** True for a registry of this machine, to which the protocol is plain HTTP. */
export function isLoopback(registry: string): boolean {
  const host = registry.replace(/:\d+$/, '')
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** Where the registry's API is: Docker Hub's has another name than its images. */
export function apiAddress(registry: string): string {
  if (registry === 'docker.io') return 'https://registry-1.docker.io'
  return `${isLoopback(registry) ? 'http' : 'https'}://${registry}`
}

/** The parts of a `WWW-Authenticate` header: its scheme in lower case, and its parameters. */
export function parseChallenge(header: string): {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
} {
  const scheme = /^\s*([A-Za-z]+)/.exec(header)?.[1]?.toLowerCase() ?? ''
  const parameters: Record<string, string> = {}
  for (const match of header.slice(0, 8_192).matchAll(/([a-zA-Z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g))
    parameters[(match[1] ?? '').toLowerCase()] = (match[2] ?? match[3] ?? '').replace(/\\(.)/g, '$1')
  return { scheme, parameters }
}

/** Of an index with more platforms the others are left out. */
const MOST_PLATFORMS = 20

/** The manifests of an index' platforms; attestations are of none. */
export function platformsOf(content: Readonly<Record<string, unknown>>): readonly string[] {
  const entries = Array.isArray(content['manifests']) ? content['manifests'].map(asObject) : []
  return entries
    .filter(entry => asObject(entry['platform'])['os'] !== 'unknown')
    .flatMap(({ digest }) => (typeof digest === 'string' && isDigest(digest) ? [digest] : []))
    .slice(0, MOST_PLATFORMS)
}

function configOf(manifest: Record<string, unknown>): readonly string[] {
  const { digest } = asObject(manifest['config'])
  return typeof digest === 'string' && isDigest(digest) ? [digest] : []
}

/** One repository of one registry. Every method throws ExpectedFailure that names the registry and says what to do. */
export class Registry {
  private authorization: string | undefined
  /** What the authorization was asked for. */
  private allowed = ''
  private readonly options: RegistryOptions

  constructor(options: RegistryOptions) {
    this.options = options
  }

  /** The digest the tag stands for, by the registry's own word; undefined when there is no such tag. */
  async digest(tag: string): Promise<string | undefined> {
    const answer = await this.authorized(
      { method: 'HEAD', url: this.path(`manifests/${tag}`), headers: { accept: MANIFEST_TYPES.join(', ') } },
      'pull',
    )
    if (answer.status === 404) return undefined
    this.expect(answer, [200], 'read')
    const digest = answer.headers['docker-content-digest'] ?? ''
    // Not every registry sends the header with HEAD; then the manifest itself is hashed.
    return isDigest(digest) ? digest : (await this.manifest(tag))?.digest
  }

  /** The manifest or index by tag or digest; undefined when there is none. Its digest is computed from its bytes. */
  async manifest(reference: string): Promise<Manifest | undefined> {
    const answer = await this.authorized(
      {
        method: 'GET',
        url: this.path(`manifests/${reference}`),
        headers: { accept: MANIFEST_TYPES.join(', ') },
        limit: LARGEST_MANIFEST,
      },
      'pull',
    )
    if (answer.status === 404) return undefined
    this.expect(answer, [200], 'read')
    const digest = digestOf(answer.body)
    const header = answer.headers['docker-content-digest'] ?? ''
    const said = isDigest(reference) ? reference : isDigest(header) ? header : digest
    if (said.startsWith('sha256:') && said !== digest) throw this.liar(said, digest)
    if (typeof parseObject(answer.body)['schemaVersion'] !== 'number')
      throw new ExpectedFailure(
        'Conflict',
        `${this.options.registry} answered with something that is no image manifest: is it a registry? Check the host name in the input image.`,
      )
    const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''
    return { digest: said, mediaType, body: answer.body }
  }

  /** The digests of an image's parts, its own included: an index's manifests, and the configuration of each. Empty where there is no such image. */
  async digestsWithin(digest: string): Promise<readonly string[]> {
    return (await this.parts(digest)).flatMap(({ manifest, configuration }) => [manifest, ...configuration])
  }

  /** The configurations of an image, one a platform: what is run is these, whatever manifest or index names them. Empty where it is not there. */
  async configurationsOf(digest: string): Promise<readonly string[]> {
    return (await this.parts(digest)).flatMap(({ configuration }) => configuration)
  }

  /** The image's own manifest or index, and the manifests of its platforms, each with the configuration that it names. */
  private async parts(digest: string): Promise<readonly { manifest: string; configuration: readonly string[] }[]> {
    const own = await this.manifest(digest)
    if (own === undefined) return []
    const content = parseObject(own.body)
    const platforms = platformsOf(content).map(async platform => {
      const found = await this.manifest(platform)
      return { manifest: platform, configuration: found === undefined ? [] : configOf(parseObject(found.body)) }
    })
    return [{ manifest: digest, configuration: configOf(content) }, ...(await Promise.all(platforms))]
  }

  /** Gives the manifest one more tag. */
  async tag(manifest: Manifest, tag: string): Promise<void> {
    const answer = await this.authorized(
      { method: 'PUT', url: this.path(`manifests/${tag}`), headers: { 'content-type': manifest.mediaType }, body: manifest.body },
      'pull,push',
    )
    this.expect(answer, [200, 201, 202], 'push')
  }

  /** The labels of an image; of an index, those of its first platform. Empty where there is nothing to read. */
  async labels(manifest: Manifest): Promise<Readonly<Record<string, string>>> {
    const content = parseObject(manifest.body)
    const entries = Array.isArray(content['manifests']) ? content['manifests'].map(asObject) : undefined
    if (entries !== undefined) {
      const first = entries.find(entry => asObject(entry['platform'])['os'] !== 'unknown')?.['digest']
      const image = typeof first === 'string' && isDigest(first) ? await this.manifest(first) : undefined
      if (image === undefined || Array.isArray(parseObject(image.body)['manifests'])) return {}
      return this.labels(image)
    }
    const labels = asObject(asObject((await this.config(content))['config'])['Labels'])
    return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  }

  /** The platforms an image is built for, as `linux/amd64`, without variants. Empty where there is nothing to read. */
  async platforms(manifest: Manifest): Promise<readonly string[]> {
    const content = parseObject(manifest.body)
    const entries = Array.isArray(content['manifests'])
      ? content['manifests'].map(entry => asObject(asObject(entry)['platform']))
      : [await this.config(content)]
    const platforms = entries.flatMap(({ os, architecture }) =>
      typeof os === 'string' && typeof architecture === 'string' && os !== 'unknown' ? [`${os}/${architecture}`] : [],
    )
    return [...new Set(platforms)]
  }

  /** The configuration that a manifest of one platform names; empty where there is none. */
  private async config(content: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const digest = asObject(content['config'])['digest']
    if (typeof digest !== 'string' || !isDigest(digest)) return {}
    const answer = await this.authorized({ method: 'GET', url: this.path(`blobs/${digest}`), limit: LARGEST_CONFIG }, 'pull')
    if (answer.status === 404) return {}
    this.expect(answer, [200], 'read')
    const computed = digestOf(answer.body)
    if (digest.startsWith('sha256:') && computed !== digest) throw this.liar(digest, computed)
    return parseObject(answer.body)
  }

  /**
   * Proves that we may push, by an upload that is begun and given up at once.
   * @returns false when the repository does not exist and the registry does not make it by itself
   */
  async mayPush(): Promise<boolean> {
    const answer = await this.authorized({ method: 'POST', url: this.path('blobs/uploads/') }, 'pull,push')
    if (answer.status === 404) return false
    this.expect(answer, [200, 201, 202], 'push')
    const upload = answer.headers['location']
    if (upload !== undefined && URL.canParse(upload, this.path(''))) {
      const url = new URL(upload, this.path(''))
      if (url.origin === new URL(this.path('')).origin)
        await this.authorized({ method: 'DELETE', url: url.href }, 'pull,push').catch(() => undefined)
    }
    return true
  }

  private path(rest: string): string {
    return `${apiAddress(this.options.registry)}/v2/${this.options.repository}/${rest}`
  }

  /** The answer, after the challenge the registry may set. A token for less than the actions needed is dropped. */
  private async authorized(request: Request, actions: string): Promise<Answer> {
    if (!this.allowed.startsWith(actions)) this.authorization = undefined
    const send = (): Promise<Answer> =>
      this.send({
        ...request,
        headers: { ...request.headers, ...(this.authorization === undefined ? {} : { authorization: this.authorization }) },
      })
    const answer = await send()
    if (answer.status !== 401) return answer
    const challenge = parseChallenge(answer.headers['www-authenticate'] ?? '')
    const authorization = await this.answerChallenge(challenge, actions)
    if (authorization === undefined || authorization === this.authorization) throw this.refused(answer, actions)
    this.authorization = authorization
    this.allowed = actions
    const second = await send()
    if (second.status === 401) throw this.refused(second, actions)
    return second
  }

  private async answerChallenge(challenge: ReturnType<typeof parseChallenge>, actions: string): Promise<string | undefined> {
    const { credentials, registry, repository } = this.options
    if (challenge.scheme === 'basic')
      return credentials === undefined || credentials.identityToken !== undefined ? undefined : basic(credentials)
    if (challenge.scheme !== 'bearer') return undefined
    const { realm = '', service } = challenge.parameters
    if (!URL.canParse(realm) || (!realm.startsWith('https://') && !isLoopback(registry)))
      throw new ExpectedFailure(
        'Unauthorized',
        `The registry ${registry} names no https address to get a token from ("${foreignLine(realm, 80)}").`,
      )
    const url = new URL(realm)
    const scope = `repository:${repository}:${actions}`
    let request: Request
    if (credentials?.identityToken !== undefined) {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: credentials.identityToken,
        client_id: 'deploy-actions',
        scope,
      })
      if (service !== undefined) form.set('service', service)
      request = {
        method: 'POST',
        url: url.href,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
      }
    } else {
      if (service !== undefined) url.searchParams.set('service', service)
      url.searchParams.append('scope', scope)
      request = { method: 'GET', url: url.href, headers: credentials === undefined ? {} : { authorization: basic(credentials) } }
    }
    const answer = await this.send(request)
    if (answer.status !== 200) throw this.refused(answer, actions)
    const content = parseObject(answer.body)
    const token = content['token'] ?? content['access_token']
    return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) ? `Bearer ${token}` : undefined
  }

  private async send(request: Request): Promise<Answer> {
    const { signal, sleep = wait } = this.options
    for (let attempt = 0; ; attempt++) {
      const pause = BACK_OFF_MS[attempt]
      try {
        const answer = await exchange(request, signal)
        if ((answer.status !== 429 && answer.status < 500) || pause === undefined) return answer
        const asked = Number(answer.headers['retry-after'] ?? Number.NaN) * 1_000
        await sleep(asked > 0 ? Math.min(asked, LONGEST_RETRY_AFTER_MS) : pause)
      } catch (error) {
        if (signal?.aborted === true)
          throw new ExpectedFailure('Cancelled', `The run was cancelled while the registry ${this.options.registry} was asked.`)
        if (error instanceof ExpectedFailure) throw error
        const cause = rootCause(error)
        const passing = cause.timedOut ? attempt < TRIES_AFTER_TIMEOUT : PASSING.test(cause.code)
        if (pause === undefined || !passing)
          throw new ExpectedFailure(
            'Unreachable',
            `The registry ${this.options.registry} can't be reached (${foreignLine(cause.message, 160)}): check the host name in the input image, and the network.`,
            { cause: error },
          )
        await sleep(pause)
      }
      if (signal?.aborted === true)
        throw new ExpectedFailure('Cancelled', `The run was cancelled while the registry ${this.options.registry} was asked.`)
    }
  }

  private expect(answer: Answer, allowed: readonly number[], doing: 'read' | 'push'): void {
    if (allowed.includes(answer.status)) return
    if (answer.status === 401 || answer.status === 403) throw this.refused(answer, doing === 'read' ? 'pull' : 'pull,push')
    const { registry, repository } = this.options
    throw new ExpectedFailure(
      answer.status >= 500 || answer.status === 429 ? 'Unreachable' : 'Conflict',
      `The registry ${registry} answered ${answer.status} when ${doing === 'read' ? 'reading' : 'pushing to'} ${repository}${registryWords(answer)}.`,
    )
  }

  private refused(answer: Answer, actions: string): ExpectedFailure {
    const { registry, repository, credentials } = this.options
    const doing = actions.includes('push') ? 'push to' : 'read'
    const advice =
      credentials === undefined
        ? 'no credentials were given: set the inputs username and password, or log in to it in an earlier step'
        : `the credentials of ${foreignLine(credentials.username, 60) || 'the docker configuration'} don't allow it: check the inputs username and password`
    const permission =
      registry === 'ghcr.io'
        ? ' (the job needs permissions: packages: write, with username github.actor and password the GITHUB_TOKEN)'
        : ''
    return new ExpectedFailure(
      answer.status === 403 ? 'Forbidden' : 'Unauthorized',
      `The registry ${registry} refused (${answer.status}) to let us ${doing} ${repository}${registryWords(answer)}; ${advice}${permission}.`,
    )
  }

  private liar(said: string, computed: string): ExpectedFailure {
    return new ExpectedFailure(
      'Conflict',
      `The registry ${this.options.registry} sent content of digest ${computed} for ${said}: a cache or proxy in between is broken.`,
    )
  }
}

/** `sha256:...` of the bytes. */
export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

function basic(credentials: Credentials): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
}

function wait(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

/** What went wrong may hide in the causes of an error. */
function rootCause(error: unknown): { message: string; code: string; timedOut: boolean } {
  let at = asError(error)
  for (let depth = 0; at.cause !== undefined && depth < 8; depth++) at = asError(at.cause)
  const timedOut = at.name === 'TimeoutError'
  const code = typeof at.code === 'string' ? at.code : ''
  // A proxy's address may hold a password.
  const said = (at.message || code).replace(/\/\/\S*@/g, '//')
  return { message: timedOut ? `no answer in ${TIMEOUT_MS / 1_000} s` : said, code, timedOut }
}

function asError(value: unknown): { message?: string; name?: string; code?: unknown; cause?: unknown } {
  return typeof value === 'object' && value !== null ? value : { message: String(value) }
}

/** The registry's own first error, for our sentence: `: denied, requested access is denied`. */
function registryWords(answer: Answer): string {
  const errors = parseObject(answer.body)['errors']
  const first = asObject(Array.isArray(errors) ? errors[0] : undefined)
  const words = [first['code'], first['message']].filter(word => typeof word === 'string').join(', ')
  return words === '' ? '' : ` (${foreignLine(words, 160)})`
}

/** Empty where the body is no JSON object. */
export function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return asObject(JSON.parse(body.toString('utf8')))
  } catch {
    return {}
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
