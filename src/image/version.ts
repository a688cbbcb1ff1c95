// The version, revision and tag of an image: which of what git, the runner and package.json say is taken. All pure.
import { ExpectedFailure } from '../runner/failure.ts'
import { isTag } from './reference.ts'

export const TAG_SCHEMES = ['semver-sha', 'semver', 'sha', 'custom'] as const
export type TagScheme = (typeof TAG_SCHEMES)[number]

/** Characters of the commit's hash in a tag. */
const SHORT_SHA = 7

/** The regular expression semver.org suggests, with an optional leading `v`. */
const SEMVER =
  /^v?((?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?)$/

/** `1.4.2` of `v1.4.2` or `1.4.2`, pre-release and build metadata kept; undefined when it is no semantic version. */
export function semanticVersion(text: string): string | undefined {
  return text.length > 256 ? undefined : SEMVER.exec(text)?.[1]
}

/** Everything a version may come from. */
export interface VersionSources {
  /** The input. */
  readonly given?: string | undefined
  /** The tag that started this run, where one did. */
  readonly triggeringTag?: string | undefined
  /** The tags on the nearest tagged commit, the highest version first. */
  readonly nearestTags: readonly string[]
  /** `version` of package.json. */
  readonly packageVersion?: string | undefined
  /** True when the clone holds only a part of the history. */
  readonly shallow: boolean
}

export interface FoundVersion {
  readonly version: string
  readonly from: 'the input' | 'the tag of this run' | 'the nearest tag' | 'package.json'
}

/** The version by order of the sources; undefined when none has one. */
export function findVersion(sources: VersionSources): FoundVersion | undefined {
  if (sources.given !== undefined) return { version: sources.given, from: 'the input' }
  const triggering = taggedVersion(sources.triggeringTag ?? '')
  if (triggering !== undefined) return { version: triggering, from: 'the tag of this run' }
  for (const tag of sources.nearestTags) {
    const version = taggedVersion(tag)
    if (version !== undefined) return { version, from: 'the nearest tag' }
  }
  const version = semanticVersion(sources.packageVersion ?? '')
  return version === undefined ? undefined : { version, from: 'package.json' }
}

/** What to say when no source has a version and the tag needs one. */
export function noVersion(shallow: boolean): ExpectedFailure {
  const clone = shallow
    ? 'The clone is shallow: check out with fetch-depth: 0 so that the tags are there, or'
    : 'Tag a commit with v and a semantic version, such as v1.0.0, or'
  return new ExpectedFailure(
    'NotFound',
    `There is no version to tag the image with: no v* tag is reachable from this commit and no package.json has a version. ${clone} give the input version, or use tag-scheme: sha.`,
  )
}

function taggedVersion(tag: string): string | undefined {
  return tag.startsWith('v') ? semanticVersion(tag) : undefined
}

/** Everything a revision may come from. */
export interface RevisionSources {
  readonly eventName: string
  /** GITHUB_SHA: on a pull request the merge commit that GitHub made for the run. */
  readonly githubSha?: string | undefined
  /** HEAD of the checkout. */
  readonly head?: string | undefined
  /** `pull_request.head.sha` of the event. */
  readonly pullRequestHead?: string | undefined
}

/**
 * The commit the image is built from: what is checked out, but for a pull request its head commit and not the merge commit, which nobody
 * has in a repository. Undefined outside of git.
 */
export function findRevision(sources: RevisionSources): string | undefined {
  const { eventName, githubSha, head, pullRequestHead } = sources
  const checkedOut = head ?? githubSha
  const isMergeCommit = eventName === 'pull_request' && (githubSha === undefined || checkedOut === githubSha)
  const revision = isMergeCommit ? (pullRequestHead ?? checkedOut) : checkedOut
  return revision !== undefined && /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(revision) ? revision : undefined
}

/**
 * The tag by the scheme.
 * @throws ExpectedFailure where the scheme needs what is not there, or the tag comes out too long
 */
export function composeTag(
  scheme: TagScheme,
  parts: {
    readonly version: string | undefined
    readonly revision: string | undefined
    readonly custom: string
    readonly shallow: boolean
  },
): string {
  const version = (): string => {
    if (parts.version === undefined) throw noVersion(parts.shallow)
    // A tag may not have the "+" of build metadata; "_" stands for it, as Helm does with charts.
    return parts.version.replace('+', '_')
  }
  const sha = (): string => {
    if (parts.revision === undefined)
      throw new ExpectedFailure(
        'NotFound',
        'There is no commit to tag the image with: the build context is in no git repository and GITHUB_SHA is not set. Check out the code first, or use tag-scheme: semver or custom.',
      )
    return parts.revision.slice(0, SHORT_SHA)
  }
  const tag =
    scheme === 'semver-sha' ? `${version()}-${sha()}` : scheme === 'semver' ? version() : scheme === 'sha' ? sha() : parts.custom
  if (!isTag(tag))
    throw new ExpectedFailure('InvalidInput', `The tag "${tag.slice(0, 140)}" has more than the 128 characters a tag may have.`)
  return tag
}
