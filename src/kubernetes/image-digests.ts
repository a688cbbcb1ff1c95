// What the images of a release stand for in their registries: a digest, nothing, or something we cannot find out. Asked once an image, all at the same
// time; the answer serves the pinning of digests and the check before the change.
import type { Clock } from '../deploy/clock.ts'
import { sleep, systemClock } from '../deploy/clock.ts'
import { type Credentials, storedCredentials } from '../image/credentials.ts'
import { fullRepository, type ImageReference, parseReference, readReference } from '../image/reference.ts'
import { Registry } from '../image/registry.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { type Rewritten, replaceImages } from './images.ts'
import type { Manifest } from './manifests.ts'

/**
 * `missing`: the registry answered that there is no such image. `unknown`: it could not be asked, or refused (`refused`); that says nothing of the
 * image, for the nodes may have other ways to it.
 */
export type ImageResolution =
  | { readonly digest: string }
  | { readonly missing: true }
  | { readonly invalid: string }
  | { readonly unknown: string; readonly refused: boolean }

export interface ImageResolverOptions {
  /** The runner's credentials for a registry. Default: its docker login. */
  readonly credentials: (registry: string) => Promise<Credentials | undefined>
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock | undefined
  /** After that the registry counts as one that can't be reached from here, in ms. */
  readonly timeoutMs?: number | undefined
}

/** Answers come in well under a second; a registry behind a firewall that drops packets would otherwise hold up every deployment for half a minute. */
const TIMEOUT_MS = 5_000
const AT_ONCE = 16

/** Remembers what it was told, but for `missing`: an image may be pushed a moment later. */
export class ImageResolver {
  readonly #options: ImageResolverOptions
  readonly #answers = new Map<string, Promise<ImageResolution>>()
  readonly #platforms = new Map<string, Promise<readonly string[]>>()
  readonly #logins = new Map<string, Promise<Credentials | undefined>>()
  #free = AT_ONCE
  readonly #queue: (() => void)[] = []

  constructor(options: ImageResolverOptions) {
    this.#options = options
  }

  /** The resolver with the runner's own docker login. */
  static ofRunner(env: NodeJS.ProcessEnv, clock?: Clock, signal?: AbortSignal): ImageResolver {
    return new ImageResolver({ credentials: registry => storedCredentials(registry, env, signal), clock, signal })
  }

  /** What the image stands for, with the runner's credentials, and without any where these are refused. */
  resolve(image: string): Promise<ImageResolution> {
    return this.#remember(image, async reference => {
      const credentials = await this.#login(reference.registry)
      const answer = await this.#ask(reference, credentials)
      // Credentials that have expired, or are for other repositories, are no reason not to see a public image.
      if (credentials === undefined || !('unknown' in answer) || !answer.refused) return answer
      const anonymous = await this.#ask(reference, undefined)
      return 'unknown' in anonymous ? answer : anonymous
    })
  }

  /** The same with a pod's own credentials and nothing else. */
  resolveAs(image: string, credentials: Credentials, who: string): Promise<ImageResolution> {
    return this.#remember(image, reference => this.#ask(reference, credentials), who)
  }

  /** Asks what the pinning will ask, and the check before the change where there is one, so that it is known by then. */
  foresee(image: string, preflight: boolean): void {
    const ask = async (): Promise<void> => {
      const found = await this.resolve(image)
      if (preflight && 'digest' in found) await this.platforms(withDigest(image, found.digest))
    }
    // What goes wrong is told when the answer is wanted.
    ask().catch(() => undefined)
  }

  /**
   * The platforms an image is built for, as `linux/amd64`; empty where that can't be found out. Docker Hub is not asked: it counts the reading of a
   * manifest as a pull, of which there are few for nothing, and the images there are for many platforms.
   */
  platforms(image: string): Promise<readonly string[]> {
    const answer = this.#platforms.get(image) ?? this.#askPlatforms(image)
    this.#platforms.set(image, answer)
    return answer
  }

  async #askPlatforms(image: string): Promise<readonly string[]> {
    try {
      const reference = parseReference(image)
      if (reference.registry === 'docker.io') return []
      const credentials = await this.#login(reference.registry)
      const ask = async (client: Registry): Promise<readonly string[]> => {
        const manifest = await client.manifest(reference.digest ?? reference.tag ?? 'latest')
        return manifest === undefined ? [] : client.platforms(manifest)
      }
      return await this.#inTurn(() => this.#within(reference, credentials, ask))
    } catch (error) {
      if (error instanceof ExpectedFailure && this.#options.signal?.aborted !== true) return []
      throw error
    }
  }

  /**
   * All digests by which a runtime may name what it runs of the image: its own, its platforms' manifests', their configurations'. Undefined where the
   * registry can't be asked.
   */
  async digestsWithin(image: string, digest: string): Promise<readonly string[] | undefined> {
    return this.#askOf(image, client => client.digestsWithin(digest))
  }

  /** The configurations that are within a digest of the image's repository. Undefined where the registry can't be asked. */
  async configurationsOf(image: string, digest: string): Promise<readonly string[] | undefined> {
    return this.#askOf(image, client => client.configurationsOf(digest))
  }

  async #askOf<T>(image: string, ask: (client: Registry) => Promise<T>): Promise<T | undefined> {
    try {
      const reference = parseReference(image)
      const credentials = await this.#login(reference.registry)
      return await this.#within(reference, credentials, ask)
    } catch (error) {
      if (error instanceof ExpectedFailure) return undefined
      throw error
    }
  }

  /** Asks the registry of an image, with a limit on its patience. */
  async #within<T>(
    { registry, repository }: ImageReference,
    credentials: Credentials | undefined,
    ask: (client: Registry) => Promise<T>,
  ): Promise<T> {
    const { clock = systemClock, timeoutMs = TIMEOUT_MS, signal } = this.#options
    const late = new AbortController()
    const stop = clock.after(timeoutMs, () => late.abort())
    const either = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
    try {
      return await ask(new Registry({ registry, repository, credentials, signal: either, sleep: ms => sleep(clock, ms, either) }))
    } catch (error) {
      if (late.signal.aborted && signal?.aborted !== true)
        throw new ExpectedFailure('Unreachable', `${registry} did not answer within ${timeoutMs / 1_000} s`, { cause: error })
      throw error
    } finally {
      stop()
    }
  }

  #remember(image: string, ask: (reference: ImageReference) => Promise<ImageResolution>, who = ''): Promise<ImageResolution> {
    const key = `${who} ${image}`
    const known = this.#answers.get(key)
    if (known !== undefined) return known
    const answer = this.#resolve(image, ask)
    this.#answers.set(key, answer)
    const forget = (): void => void this.#answers.delete(key)
    answer.then(found => {
      if ('missing' in found) forget()
      // Pinned, it is the same image.
      else if ('digest' in found) this.#answers.set(`${who} ${withDigest(image, found.digest)}`, answer)
    }, forget)
    return answer
  }

  async #resolve(image: string, ask: (reference: ImageReference) => Promise<ImageResolution>): Promise<ImageResolution> {
    let reference: ImageReference
    try {
      reference = parseReference(image)
    } catch (error) {
      if (error instanceof ExpectedFailure) return { invalid: error.message }
      throw error
    }
    return this.#inTurn(() => ask(reference))
  }

  /** So many questions at once, however many images there are. */
  async #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>(resolve => this.#queue.push(resolve))
    else this.#free -= 1
    try {
      return await ask()
    } finally {
      const next = this.#queue.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  #login(registry: string): Promise<Credentials | undefined> {
    const known = this.#logins.get(registry)
    if (known !== undefined) return known
    const login = this.#options.credentials(registry).catch(() => undefined)
    this.#logins.set(registry, login)
    return login
  }

  async #ask(reference: ImageReference, credentials: Credentials | undefined): Promise<ImageResolution> {
    const { registry, tag = 'latest', digest } = reference
    try {
      const found = await this.#within(reference, credentials, client => client.digest(digest ?? tag))
      return found === undefined ? { missing: true } : { digest: found }
    } catch (error) {
      if (!(error instanceof ExpectedFailure) || this.#options.signal?.aborted === true) throw error
      const refused = error.reason === 'Unauthorized' || error.reason === 'Forbidden'
      const who = credentials === undefined ? 'without credentials' : 'with the credentials there are'
      return { unknown: refused ? `${registry} refuses to show it ${who}` : sentence(error.message), refused }
    }
  }
}

/** Up to the advice, which is for those who push. */
function sentence(message: string): string {
  return message.replace(/: check the host name.*$/, '').replace(/\.$/, '')
}

/** What each image stands for, by the text it was given as. */
export async function resolveImages(
  images: Iterable<string>,
  resolver: ImageResolver,
): Promise<ReadonlyMap<string, ImageResolution>> {
  const all = [...new Set(images)]
  return new Map(await Promise.all(all.map(async image => [image, await resolver.resolve(image)] as const)))
}

/** More repositories than a release has; each is asked. */
const MOST_REPOSITORIES = 20

/** The digests that a tag stands for in the repositories of these images, as far as their registries can be asked. */
export async function digestsOfTag(tag: string, images: Iterable<string>, resolver: ImageResolver): Promise<ReadonlySet<string>> {
  const references = [...images].flatMap(image => readReference(image) ?? [])
  const repositories = new Set(references.map(fullRepository))
  const asked = [...repositories].slice(0, MOST_REPOSITORIES).map(repository => `${repository}:${tag}`)
  const resolved = await resolveImages(asked, resolver)
  return new Set([...resolved.values()].flatMap(resolution => ('digest' in resolution ? [resolution.digest] : [])))
}

/** The image with the digest it stands for; undefined where that is not known, or where it has one already. */
export function pinnedReference(image: string, resolved: ReadonlyMap<string, ImageResolution>): string | undefined {
  const resolution = resolved.get(image)
  return resolution === undefined || !('digest' in resolution) || image.includes('@')
    ? undefined
    : withDigest(image, resolution.digest)
}

const withDigest = (image: string, digest: string): string => (image.includes('@') ? image : `${image}@${digest}`)

/**
 * `repository:tag` becomes `repository:tag@sha256:...` in every pod template, where the digest is known; what has a digest already stays, and so does
 * what could not be found out. A later push to the same tag then changes nothing that runs.
 */
export function pinDigests(manifests: readonly Manifest[], resolved: ReadonlyMap<string, ImageResolution>): Rewritten {
  return replaceImages(manifests, (_, { image }) => pinnedReference(image, resolved))
}
