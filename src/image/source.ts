// Where an image comes from: what git, the event and package.json say of the commit that is built. Reads; the choice is in version.ts.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { type CommandResult, childEnvironment, findProgram, runCommand } from './command.ts'
import { type FoundVersion, findRevision, findVersion, semanticVersion } from './version.ts'

const LARGEST_EVENT_BYTES = 26 * 1024 * 1024
const LARGEST_PACKAGE_JSON_BYTES = 1024 * 1024
/** Nearest tags that look like a version and are none, such as v1.2.3.4, before we give up. */
const TAGS_PASSED_OVER = 8

/** What is asked needs no transport: in a partial clone git would start one, by the repository's own configuration, for what is missing. */
const NOTHING_FETCHED = {
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
}

export interface Source {
  readonly version: FoundVersion | undefined
  /** The full commit hash. */
  readonly revision: string | undefined
  readonly shallow: boolean
}

/** The version and revision of what lies in `folder`. */
export async function readSource(
  folder: string,
  workspace: string,
  given: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Source> {
  const program = findProgram('git', env)
  const git = async (...args: string[]): Promise<CommandResult | undefined> =>
    program === undefined
      ? undefined
      : runCommand(program, ['-C', folder, '-c', 'safe.directory=*', '-c', 'core.fsmonitor=false', ...args], {
          env: childEnvironment(env, NOTHING_FETCHED),
          ...(signal === undefined ? {} : { signal }),
        })
  const facts = await git('rev-parse', '--is-shallow-repository', 'HEAD')
  const [shallow = '', head] = facts?.code === 0 ? facts.stdout.trim().split('\n') : []
  const isTagRun = env['GITHUB_REF_TYPE'] === 'tag'
  const sources = {
    given: semanticVersion(given),
    triggeringTag: isTagRun ? env['GITHUB_REF_NAME'] : undefined,
    packageVersion: packageVersion(folder, workspace),
    shallow: shallow === 'true',
  }
  const settled = findVersion({ ...sources, packageVersion: undefined, nearestTags: [] })
  const version = settled ?? findVersion({ ...sources, nearestTags: head === undefined ? [] : await nearestTags(git) })
  const revision = findRevision({
    eventName: env['GITHUB_EVENT_NAME'] ?? '',
    githubSha: env['GITHUB_SHA'] || undefined,
    head,
    pullRequestHead: pullRequestHead(env),
  })
  return { version, revision, shallow: sources.shallow }
}

async function nearestTags(git: (...args: string[]) => Promise<CommandResult | undefined>): Promise<readonly string[]> {
  const passedOver: string[] = []
  while (passedOver.length <= TAGS_PASSED_OVER) {
    const exclude = passedOver.flatMap(tag => ['--exclude', tag])
    const described = await git('describe', '--tags', '--abbrev=0', '--match', 'v[0-9]*.[0-9]*.[0-9]*', ...exclude, 'HEAD')
    const nearest = described?.code === 0 ? described.stdout.trim() : ''
    if (nearest === '') return []
    const same = await git('tag', '--points-at', `refs/tags/${nearest}^{commit}`, '--list', 'v*')
    const versions = (same?.stdout ?? '').split('\n').filter(tag => semanticVersion(tag) !== undefined)
    if (versions.length > 0) {
      const { default: semver } = await import('semver')
      return versions.sort((a, b) => semver.rcompare(a, b))
    }
    passedOver.push(nearest)
  }
  return []
}

function pullRequestHead(env: NodeJS.ProcessEnv): string | undefined {
  const event = readJson(env['GITHUB_EVENT_PATH'] ?? '', LARGEST_EVENT_BYTES)
  const pullRequest = field(event, 'pull_request')
  const sha = field(field(pullRequest, 'head'), 'sha')
  return typeof sha === 'string' ? sha : undefined
}

/** The version of the package.json nearest to the folder, none above the workspace. */
function packageVersion(folder: string, workspace: string): string | undefined {
  for (let at = folder; !relative(workspace, at).startsWith('..'); at = dirname(at)) {
    const version = field(readJson(join(at, 'package.json'), LARGEST_PACKAGE_JSON_BYTES), 'version')
    if (typeof version === 'string') return version
    if (at === dirname(at)) break
  }
  return undefined
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function readJson(path: string, limit: number): unknown {
  if (path === '' || !existsSync(path)) return undefined
  try {
    return JSON.parse(readUpTo(path, limit))
  } catch {
    return undefined
  }
}

/** The file's text. Throws when it is no plain file, or has more bytes than the limit. */
export function readUpTo(path: string, limit: number): string {
  const about = statSync(path)
  if (!about.isFile() || about.size > limit) throw new Error(`${path} is no file of at most ${limit} bytes`)
  return readFileSync(path, 'utf8')
}
