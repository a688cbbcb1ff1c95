// References to images: registry, repository, tag and digest, by the grammar of the distribution project.
// Source of the rules: https://pkg.go.dev/github.com/distribution/reference
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

/** An image's address. `repository` has no registry in it; on docker.io an official image's begins with `library/`. */
export interface ImageReference {
  readonly registry: string
  readonly repository: string
  readonly tag?: string
  /** `sha256:<64 hex digits>`, or another algorithm's. */
  readonly digest?: string
}

const DEFAULT_REGISTRY = 'docker.io'
const LEGACY_DEFAULT_REGISTRY = 'index.docker.io'
const LONGEST_REFERENCE = 1_024
const LONGEST_NAME = 255

const HOST_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const REGISTRY = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`)
const PATH_COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/
const DIGEST = /^[a-z0-9]+(?:[-_+.][a-z0-9]+)*:[0-9a-f]{32,}$/
/** Hex digits of the algorithms the OCI image specification registers. */
const HEX_DIGITS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 }

/** True when the text can be a tag: 1 to 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`. */
export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** True when the text is `algorithm:hex` with as many digits as the algorithm has. */
export function isDigest(text: string): boolean {
  if (!DIGEST.test(text)) return false
  const [algorithm = '', hex = ''] = text.split(':')
  const digits = HEX_DIGITS[algorithm]
  return digits === undefined || hex.length === digits
}

/** Parses `[registry/]repository[:tag][@digest]`. Throws ExpectedFailure `InvalidInput`, which says what is wrong. */
export function parseReference(text: string): ImageReference {
  const fault = (what: string): ExpectedFailure =>
    new ExpectedFailure('InvalidInput', `"${foreignLine(text, 120)}" is no image reference: ${what}.`)
  if (text === '') throw fault('it is empty')
  if (text.length > LONGEST_REFERENCE) throw fault(`it has ${text.length} characters, ${LONGEST_REFERENCE} are the most`)
  if (text !== text.trim() || /\s/.test(text)) throw fault('there is white space in it')
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw fault('it begins with a URL scheme, write it without one, such as ghcr.io/acme/web')

  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : text.slice(at + 1)
  if (digest !== undefined && !isDigest(digest))
    throw fault('what follows "@" is no digest, which looks like sha256: and 64 lower-case hex digits')
  const named = at < 0 ? text : text.slice(0, at)
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  const tag = colon < 0 ? undefined : named.slice(colon + 1)
  const name = colon < 0 ? named : named.slice(0, colon)
  if (tag !== undefined && !isTag(tag))
    throw fault(
      tag === ''
        ? 'the tag after ":" is empty'
        : `"${foreignLine(tag, 60)}" is no tag (up to 128 letters, digits, "_", "." and "-", the first no "." or "-")`,
    )

  const { registry, repository } = splitName(name)
  if (!isRegistry(registry)) throw fault(`"${foreignLine(registry, 60)}" is no registry's host name`)
  if (repository === '') throw fault('there is no repository in it')
  for (const component of repository.split('/')) {
    if (PATH_COMPONENT.test(component)) continue
    if (component === '') throw fault('there is an empty part between two "/"')
    if (PATH_COMPONENT.test(component.toLowerCase())) throw fault(`the repository must be in lower case: "${component}"`)
    throw fault(
      `"${foreignLine(component, 60)}" is no part of a repository's name (lower-case letters and digits, separated by ".", "_", "__" or "-")`,
    )
  }
  if (registry === DEFAULT_REGISTRY && at < 0 && tag === undefined && /^[0-9a-f]{64}$/.test(name))
    throw fault("it looks like an image's id, not like its name")
  if (`${registry}/${repository}`.length > LONGEST_NAME)
    throw fault(`the name without tag and digest is longer than ${LONGEST_NAME} characters`)
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
}

/** The same; undefined for what is none. */
export function readReference(text: string): ImageReference | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof ExpectedFailure) return undefined
    throw error
  }
}

/** The reference in full, registry and `library/` included: `docker.io/library/nginx:1.27`. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${fullRepository(reference)}${tag}${digest}`
}

/** The repository with its registry, without tag and digest: `docker.io/library/nginx`. */
export function fullRepository(reference: ImageReference): string {
  return `${reference.registry}/${reference.repository}`
}

/** True when both name the same repository of the same registry, whatever their tags and digests. */
export function sameRepository(a: ImageReference, b: ImageReference): boolean {
  return fullRepository(a) === fullRepository(b)
}

/**
 * The part before the first "/" is a registry when it has a dot or a port or is `localhost`. The reference grammar also takes one with upper-case
 * letters for a host; `Acme/web` is rather a repository written wrongly, and is refused as such.
 */
function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = slash >= 0 && (/[.:[]/.test(first) || first.toLowerCase() === 'localhost')
  const registry = isHost ? first.toLowerCase() : DEFAULT_REGISTRY
  const repository = isHost ? name.slice(slash + 1) : name
  if (registry !== DEFAULT_REGISTRY && registry !== LEGACY_DEFAULT_REGISTRY) return { registry, repository }
  return {
    registry: DEFAULT_REGISTRY,
    repository: repository === '' || repository.includes('/') ? repository : `library/${repository}`,
  }
}

function isRegistry(registry: string): boolean {
  if (!REGISTRY.test(registry)) return false
  const port = /:(\d+)$/.exec(registry.replace(/^\[.*\]/, ''))?.[1]
  return port === undefined || (Number(port) >= 1 && Number(port) <= 65_535)
}
