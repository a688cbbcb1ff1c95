// From a commit to an image in a registry: looks first, builds only what is missing, and believes only the registry.
import { existsSync, realpathSync, statSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import type { Log } from '../runner/log.ts'
import { type BuildPlan, type BuildPorts, type BuildSecret, build, findClient } from './buildx.ts'
import type { Cache } from './caches.ts'
import { type Credentials, logIn, storedCredentials } from './credentials.ts'
import { hasTarget, stagesOf } from './dockerfile.ts'
import { createEcrRepository, ecrCredentials, ecrRegistry, hasAwsCredentials } from './ecr.ts'
import { decideOnExisting, type IfExists } from './existing-tag.ts'
import { imageLabels, REVISION_LABEL } from './labels.ts'
import { fullRepository, type ImageReference } from './reference.ts'
import { type Manifest, Registry } from './registry.ts'
import { readSource, readUpTo } from './source.ts'
import { composeTag, type TagScheme } from './version.ts'

export interface PublishRequest {
  /** Without tag and digest. */
  readonly image: ImageReference
  /** Paths relative to the workspace; an empty `file` is the context's Dockerfile. */
  readonly context: string
  readonly file: string
  readonly target: string
  readonly platforms: readonly string[]
  readonly buildArgs: readonly string[]
  readonly secrets: readonly BuildSecret[]
  readonly labels: readonly string[]
  readonly version: string
  readonly tagScheme: TagScheme
  /** The tag of the scheme `custom`. */
  readonly tag: string
  readonly extraTags: readonly string[]
  readonly push: boolean
  readonly ifExists: IfExists
  readonly cache: Cache
  readonly username: string
  readonly password: string
  readonly ecrCreateRepository: boolean
}

export interface PublishPorts extends BuildPorts {
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface Published {
  readonly result: 'pushed' | 'skipped'
  readonly message: string
  readonly version: string | undefined
  readonly revision: string | undefined
  readonly tag: string
  /** `repository:tag`. */
  readonly image: string
  /** As the registry says; undefined when nothing was pushed. */
  readonly digest: string | undefined
}

const LARGEST_DOCKERFILE = 1024 * 1024

export async function publish(request: PublishRequest, ports: PublishPorts): Promise<Published> {
  const { env, log, workspace, signal } = ports
  const files = locate(request, workspace)
  const source = await readSource(files.context, workspace, request.version, env, signal)
  const tag = composeTag(request.tagScheme, {
    version: source.version?.version,
    revision: source.revision,
    custom: request.tag,
    shallow: source.shallow,
  })
  const repository = fullRepository(request.image)
  const image = `${repository}:${tag}`
  if (source.version !== undefined) log.info(`Version ${source.version.version}, from ${source.version.from}.`)
  log.info(`Image ${image}${source.revision === undefined ? '' : `, commit ${source.revision}`}.`)
  const common = { version: source.version?.version, revision: source.revision, tag, image }

  const access = request.push ? await openRegistry(request, ports) : undefined
  if (access !== undefined) {
    const { registry } = access
    const existing = await existingManifest(registry, tag)
    const revision = existing === undefined ? undefined : (await registry.labels(existing))[REVISION_LABEL]
    const decision = decideOnExisting(
      image,
      existing === undefined ? undefined : { digest: existing.digest, ...(revision === undefined ? {} : { revision }) },
      source.revision,
      request.ifExists,
    )
    if (decision.action === 'fail') throw new ExpectedFailure('Conflict', decision.message)
    if (decision.action === 'build') await provePush(registry, request, ports)
    if (access.login !== undefined) await logIn(request.image.registry, access.login, env, signal)
    if (decision.action === 'skip' && existing !== undefined) {
      await addTags(registry, existing, request.extraTags)
      const message = `${image} is already in the registry, built from the same commit: nothing was built. Its digest is ${decision.digest}.`
      return { result: 'skipped', message, digest: decision.digest, ...common }
    }
  }

  const client = await findClient(env, signal)
  const plan: BuildPlan = {
    context: files.context,
    file: files.file,
    target: request.target,
    platforms: request.platforms,
    buildArgs: request.buildArgs,
    labels: imageLabels(
      {
        env,
        version: source.version?.version,
        revision: source.revision,
        created: new Date(ports.now()),
        title: request.image.repository.split('/').at(-1) ?? '',
      },
      request.labels,
    ),
    images: [tag, ...request.extraTags.filter(extra => extra !== tag)].map(name => `${repository}:${name}`),
    push: request.push,
    cache: request.cache,
    repository,
    secrets: request.secrets,
  }
  const said = await build(plan, files.dockerfile, files.shownFile, client, ports)
  if (access === undefined) {
    const message = `${image} was built and, as push is false, not pushed.`
    return { result: 'skipped', message, digest: undefined, ...common }
  }
  const digest = await readBack(access.registry, plan.images, said, log)
  return { result: 'pushed', message: `${image} was pushed; its digest in the registry is ${digest}.`, digest, ...common }
}

interface Located {
  readonly context: string
  readonly file: string
  /** The Dockerfile's path relative to the workspace. */
  readonly shownFile: string
  readonly dockerfile: string
}

/** The files of the build, held to be there before anything is asked of anyone. */
function locate(request: PublishRequest, workspace: string): Located {
  const context = within(workspace, request.context, 'context')
  if (!statSync(context, { throwIfNoEntry: false })?.isDirectory())
    throw new ExpectedFailure(
      'NotFound',
      `The build context "${foreignLine(request.context)}" is no folder in the workspace: check the input context, and that the code was checked out.`,
    )
  const wanted = request.file === '' ? join(request.context, 'Dockerfile') : request.file
  const file = within(workspace, wanted, 'file')
  const shownFile = relative(realpathSync(workspace), file)
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    const inContext = join(request.context, request.file)
    const advice =
      request.file !== '' && existsSync(resolve(workspace, inContext))
        ? `file is relative to the workspace, not to the context: write file: ${inContext}`
        : 'check the inputs context and file'
    throw new ExpectedFailure('NotFound', `There is no Dockerfile at ${foreignLine(wanted)}: ${advice}.`)
  }
  let dockerfile: string
  try {
    dockerfile = readUpTo(file, LARGEST_DOCKERFILE)
  } catch (error) {
    throw new ExpectedFailure('InvalidInput', `The Dockerfile ${shownFile} can't be read, or is larger than 1 MiB.`, {
      cause: error,
    })
  }
  if (request.target !== '' && !hasTarget(dockerfile, request.target)) {
    const { names } = stagesOf(dockerfile)
    const known = names.length === 0 ? 'no stage in it has a name' : `its stages are ${foreignLine(names.join(', '))}`
    throw new ExpectedFailure(
      'InvalidInput',
      `There is no stage "${foreignLine(request.target, 80)}" in ${shownFile} for the input target; ${known}.`,
      {
        at: { file: shownFile },
      },
    )
  }
  return { context, file, shownFile, dockerfile }
}

/** The absolute path of an input's path, links followed. Throws when it leads out of the workspace. */
function within(workspace: string, path: string, input: string): string {
  const base = realpathSync(workspace)
  const asked = resolve(base, path)
  const real = existsSync(asked) ? realpathSync(asked) : asked
  if (real !== base && !real.startsWith(base + sep))
    throw new ExpectedFailure('InvalidInput', `The input ${input} ("${foreignLine(path, 120)}") leads out of the workspace.`)
  return real
}

interface Access {
  readonly registry: Registry
  /** What later steps are to be logged in with; undefined where an earlier step did so. */
  readonly login: Credentials | undefined
}

async function openRegistry(request: PublishRequest, ports: PublishPorts): Promise<Access> {
  const { registry, repository } = request.image
  const { env, log, signal } = ports
  const ecr = ecrRegistry(registry)
  const stored = request.password === '' ? await storedCredentials(registry, env, signal) : undefined
  let login: Credentials | undefined
  if (request.password !== '') login = { username: request.username, password: request.password }
  else if (ecr !== undefined && (hasAwsCredentials(env) || stored === undefined))
    login = await ecrCredentials(registry, ecr, signal).catch((error: unknown) => {
      // The job's role may well be another than the one an earlier step logged in with.
      if (stored === undefined || signal.aborted) throw error
      return undefined
    })
  if (login !== undefined) {
    log.mask(login.password)
    log.mask(Buffer.from(`${login.username}:${login.password}`).toString('base64'))
  }
  return { registry: new Registry({ registry, repository, credentials: login ?? stored, signal }), login }
}

/** What the tag is now. Some registries refuse to tell of a repository that is not there yet: whether we may push decides then. */
async function existingManifest(registry: Registry, tag: string): Promise<Manifest | undefined> {
  try {
    return await registry.manifest(tag)
  } catch (error) {
    const refused = error instanceof ExpectedFailure && (error.reason === 'Unauthorized' || error.reason === 'Forbidden')
    if (!refused) throw error
    await registry.mayPush()
    return undefined
  }
}

async function provePush(registry: Registry, request: PublishRequest, ports: PublishPorts): Promise<void> {
  if (await registry.mayPush()) return
  const { registry: host, repository } = request.image
  const ecr = ecrRegistry(host)
  if (ecr !== undefined && request.ecrCreateRepository) {
    await createEcrRepository(host, repository, ecr, ports.signal)
    ports.log.info(`Created the repository ${repository} in ${host}.`)
    return
  }
  const advice =
    ecr === undefined ? 'create it first, or check the input image' : 'create it first, or set ecr-create-repository: true'
  throw new ExpectedFailure('NotFound', `The registry ${host} has no repository ${repository}: ${advice}.`)
}

async function addTags(registry: Registry, manifest: Manifest, tags: readonly string[]): Promise<void> {
  for (const tag of tags) if ((await registry.digest(tag)) !== manifest.digest) await registry.tag(manifest, tag)
}

/**
 * The digest the main tag has in the registry. Throws when it is not what the client says it pushed. A further tag that is another image by now
 * was moved on by another run, as such tags are.
 */
async function readBack(registry: Registry, images: readonly string[], said: string | undefined, log: Log): Promise<string> {
  let digest = said
  for (const [index, image] of images.entries()) {
    const found = await registry.digest(image.slice(image.lastIndexOf(':') + 1))
    if (found === undefined)
      throw new ExpectedFailure(
        'NotFound',
        `${image} is not in the registry although the build client says it pushed it: look at the registry's log.`,
      )
    if (digest === undefined || found === digest) digest = found
    else if (index > 0)
      log.warning(`${image} has the digest ${found} and not ${digest}, which was pushed: another run has moved it since.`)
    else
      throw new ExpectedFailure(
        'Conflict',
        `${image} has the digest ${found} in the registry, but ${digest} was pushed: another run pushed the same tag at the same time, or the registry changed the image.`,
      )
  }
  if (digest === undefined) throw new Error('no image was pushed')
  return digest
}
