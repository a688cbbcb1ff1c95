// The build itself: which client builds, with which arguments, and what it says when it fails.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { type BuildFailure, createBuildLog } from './build-log.ts'
import type { Cache } from './caches.ts'
import { childEnvironment, findProgram, runCommand } from './command.ts'
import { isDigest } from './reference.ts'
import { readUpTo } from './source.ts'

export interface BuildPlan {
  /** Absolute paths. */
  readonly context: string
  readonly file: string
  readonly target: string
  readonly platforms: readonly string[]
  readonly buildArgs: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** `repository:tag`, the first the main one. */
  readonly images: readonly string[]
  readonly push: boolean
  readonly cache: Cache
  /** The repository with its registry, without a tag. */
  readonly repository: string
  readonly secrets: readonly BuildSecret[]
}

export interface BuildSecret {
  readonly id: string
  readonly value: string
}

/** How images are built here: buildx, as Docker's plugin or alone, or an old docker with BuildKit in the engine. */
export type Client =
  | { readonly kind: 'buildx'; readonly program: string; readonly prefix: readonly string[] }
  | { readonly kind: 'docker'; readonly program: string }

/** The client to build with. Throws ExpectedFailure NotFound when there is none. */
export async function findClient(env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Client> {
  const settings = { env: childEnvironment(env), ...(signal === undefined ? {} : { signal }) }
  const docker = findProgram('docker', env)
  if (docker !== undefined && (await runCommand(docker, ['buildx', 'version'], settings)).code === 0)
    return { kind: 'buildx', program: docker, prefix: ['buildx'] }
  const buildx = findProgram('buildx', env) ?? findProgram('docker-buildx', env)
  if (buildx !== undefined) return { kind: 'buildx', program: buildx, prefix: [] }
  if (docker !== undefined) return { kind: 'docker', program: docker }
  throw new ExpectedFailure(
    'NotFound',
    'There is neither docker nor buildx on PATH to build with: use a runner that has Docker, or run docker/setup-buildx-action before this step.',
  )
}

/** The variable that carries the secret of that index to the builder. */
function secretVariable(index: number): string {
  return `DEPLOY_ACTIONS_BUILD_SECRET_${index}`
}

/** The variables that carry the secrets, so that none is seen in an argument or left in a file. */
export function secretEnvironment(secrets: readonly BuildSecret[]): NodeJS.ProcessEnv {
  return Object.fromEntries(secrets.map(({ value }, index) => [secretVariable(index), value]))
}

/** The arguments of `buildx build`. */
export function buildxArguments(plan: BuildPlan, metadataFile: string, progress: 'rawjson' | 'plain'): readonly string[] {
  const arguments_ = ['build', `--progress=${progress}`, `--metadata-file=${metadataFile}`, ...commonArguments(plan)]
  if (plan.platforms.length > 0) arguments_.push(`--platform=${plan.platforms.join(',')}`)
  arguments_.push(...cacheArguments(plan.cache, plan.repository, plan.target))
  arguments_.push(plan.push ? '--push' : '--output=type=cacheonly')
  return [...arguments_, '--', plan.context]
}

/** The arguments of a `docker build` without buildx. It builds for one platform, and pushing is a step of its own. */
export function dockerArguments(plan: BuildPlan): readonly string[] {
  if (plan.cache !== 'none')
    throw new ExpectedFailure(
      'InvalidInput',
      `cache: ${plan.cache} needs buildx, and this docker has none: run docker/setup-buildx-action before this step, or use cache: none.`,
    )
  if (plan.platforms.length > 1)
    throw new ExpectedFailure(
      'InvalidInput',
      'More than one of platforms needs buildx, and this docker has none: run docker/setup-buildx-action before this step.',
    )
  const platform = plan.platforms.map(name => `--platform=${name}`)
  return ['build', '--progress=plain', ...commonArguments(plan), ...platform, '--', plan.context]
}

function commonArguments(plan: BuildPlan): string[] {
  return [
    `--file=${plan.file}`,
    ...(plan.target === '' ? [] : [`--target=${plan.target}`]),
    ...plan.images.map(image => `--tag=${image}`),
    ...plan.buildArgs.map(argument => `--build-arg=${argument}`),
    ...Object.entries(plan.labels).map(([name, value]) => `--label=${name}=${value}`),
    ...plan.secrets.map(({ id }, index) => `--secret=id=${id},env=${secretVariable(index)}`),
  ]
}

/** A cache that can't be written is no reason for a red build. */
function cacheArguments(cache: Cache, repository: string, target: string): readonly string[] {
  if (cache === 'none') return []
  if (cache === 'gha') {
    const scope = `${repository}${target === '' ? '' : `-${target}`}`.replace(/[^A-Za-z0-9._-]/g, '-')
    return [`--cache-from=type=gha,scope=${scope}`, `--cache-to=type=gha,scope=${scope},mode=max,ignore-error=true`]
  }
  const reference = `${repository}:buildcache`
  return [
    `--cache-from=type=registry,ref=${reference}`,
    `--cache-to=type=registry,ref=${reference},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true`,
  ]
}

export interface BuildPorts {
  readonly env: NodeJS.ProcessEnv
  readonly log: Log
  readonly temporary: string
  readonly workspace: string
  readonly signal: AbortSignal
}

/**
 * Builds, and pushes where the plan says so.
 * @param shownFile the Dockerfile's path for people, relative to the workspace
 * @returns the digest the client says it made, where it says one
 * @throws ExpectedFailure BuildFailed with the Dockerfile's line
 */
export async function build(
  plan: BuildPlan,
  dockerfile: string,
  shownFile: string,
  client: Client,
  ports: BuildPorts,
): Promise<string | undefined> {
  const folder = mkdtempSync(join(ports.temporary, 'build-push-'))
  try {
    const metadata = join(folder, 'metadata.json')
    if (client.kind === 'docker') return await buildByDocker(plan, dockerfile, shownFile, client.program, ports)
    await buildByBuildx(plan, dockerfile, shownFile, client, metadata, ports)
    return digestIn(metadata)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function buildByBuildx(
  plan: BuildPlan,
  dockerfile: string,
  shownFile: string,
  client: Client & { kind: 'buildx' },
  metadata: string,
  ports: BuildPorts,
): Promise<void> {
  for (const progress of ['rawjson', 'plain'] as const) {
    const args = [...client.prefix, ...buildxArguments(plan, metadata, progress)]
    const { code, log } = await runBuild(client.program, args, plan, ports, {})
    for (const { line, message } of log.warnings()) ports.log.warning(message, 'Dockerfile', { file: shownFile, line })
    if (code === 0) return
    const failure = log.failure(dockerfile)
    // A buildx older than 0.13 doesn't know rawjson and says so before it builds anything.
    if (progress === 'rawjson' && /invalid progress mode/.test(failure.error)) continue
    throw buildFailed(failure, shownFile, code)
  }
}

async function buildByDocker(
  plan: BuildPlan,
  dockerfile: string,
  shownFile: string,
  docker: string,
  ports: BuildPorts,
): Promise<string | undefined> {
  const { code, log } = await runBuild(docker, dockerArguments(plan), plan, ports, { DOCKER_BUILDKIT: '1' })
  if (code !== 0) throw buildFailed(log.failure(dockerfile), shownFile, code)
  if (!plan.push) return undefined
  let digest: string | undefined
  for (const image of plan.images) {
    const pushed = await runBuild(docker, ['push', image], plan, ports, {})
    if (pushed.code !== 0) throw buildFailed({ ...pushed.log.failure(''), output: [] }, shownFile, pushed.code)
    digest = pushed.log.pushedDigest()
  }
  return digest
}

async function runBuild(
  program: string,
  args: readonly string[],
  plan: BuildPlan,
  ports: BuildPorts,
  more: NodeJS.ProcessEnv,
): Promise<{ code: number; log: ReturnType<typeof createBuildLog> }> {
  const log = createBuildLog(ports.log.redact)
  const { code } = await runCommand(program, args, {
    cwd: ports.workspace,
    env: childEnvironment(ports.env, { ...secretEnvironment(plan.secrets), ...more, BUILDX_NO_DEFAULT_LOAD: '1' }),
    signal: ports.signal,
    onLine: line => {
      for (const text of log.add(line)) ports.log.info(text)
    },
  })
  return { code, log }
}

/** The sentence about a failed build: file, line, instruction, exit code and the last lines of output. */
export function buildFailed(failure: BuildFailure, file: string, code: number): ExpectedFailure {
  const { line, instruction, exitCode, error, output } = failure
  if (/failed to push|push access denied|denied: /.test(error) && line === undefined)
    return new ExpectedFailure(pushReason(error), `The image was built but could not be pushed: ${error.replace(/\.$/, '')}.`)
  const where = line === undefined ? file : `${file}:${line}`
  const what = instruction === undefined ? '' : `, ${instruction}`
  const why = exitCode === undefined ? error.replace(/\.$/, '') : `exit code ${exitCode}`
  const tail = output
    .slice(-5)
    .map(text => foreignLine(text, 200))
    .filter(text => text !== '')
  const words = tail.length === 0 ? '' : ` Its last output: ${tail.join(' | ')}`
  const silence = line === undefined && output.length === 0 && exitCode === undefined ? ` (the builder ended with ${code})` : ''
  return new ExpectedFailure('BuildFailed', `The build failed at ${where}${what}: ${why}${silence}.${words}`, {
    at: { file, ...(line === undefined ? {} : { line }) },
  })
}

function pushReason(error: string): string {
  if (/\b401\b|unauthorized|authentication required/i.test(error)) return 'Unauthorized'
  if (/\b403\b|denied|forbidden/i.test(error)) return 'Forbidden'
  return /dial tcp|no such host|connection refused|timeout|TLS handshake/i.test(error) ? 'Unreachable' : 'BuildFailed'
}

function digestIn(metadataFile: string): string | undefined {
  try {
    const content = JSON.parse(readUpTo(metadataFile, 16 * 1024 * 1024)) as Record<string, unknown>
    const digest = content['containerimage.digest']
    return typeof digest === 'string' && isDigest(digest) ? digest : undefined
  } catch {
    return undefined
  }
}
