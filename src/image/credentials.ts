// Credentials of a registry, as Docker keeps them: config.json's auths, credHelpers and credsStore.
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { childEnvironment, findProgram, runCommand } from './command.ts'
import { readUpTo } from './source.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
  /** An OAuth2 refresh token, in place of the password. */
  readonly identityToken?: string
}

/** The name Docker Hub's credentials have in config.json. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/'
const LARGEST_CONFIG_BYTES = 4 * 1024 * 1024

export interface DockerConfig {
  readonly auths?: Readonly<
    Record<
      string,
      { readonly auth?: string; readonly username?: string; readonly password?: string; readonly identitytoken?: string }
    >
  >
  readonly credHelpers?: Readonly<Record<string, string>>
  readonly credsStore?: string
  readonly [other: string]: unknown
}

/** The folder of Docker's config.json. */
export function dockerConfigFolder(env: NodeJS.ProcessEnv): string {
  return env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker')
}

/** The file's content; empty when there is none or it can't be read. */
export function readDockerConfig(env: NodeJS.ProcessEnv): DockerConfig {
  try {
    const content: unknown = JSON.parse(readUpTo(join(dockerConfigFolder(env), 'config.json'), LARGEST_CONFIG_BYTES))
    return typeof content === 'object' && content !== null && !Array.isArray(content) ? (content as DockerConfig) : {}
  } catch {
    return {}
  }
}

/** The key under which config.json holds the registry's credentials. */
export function configKey(registry: string): string {
  return registry === 'docker.io' ? DOCKER_HUB_KEY : registry
}

/** What `auths` holds for the registry; older clients wrote its key as an address. */
export function credentialsIn(config: DockerConfig, registry: string): Credentials | undefined {
  const key = configKey(registry)
  const host = registry === 'docker.io' ? 'index.docker.io' : registry
  for (const name of [key, host, `https://${host}`, `https://${host}/v1/`, `https://${host}/v2/`, `http://${host}`]) {
    const entry = config.auths?.[name]
    if (typeof entry !== 'object' || entry === null) continue
    const [user = '', ...rest] = Buffer.from(entry.auth ?? '', 'base64')
      .toString('utf8')
      .replace(/\0+$/, '')
      .split(':')
    const username = user || (entry.username ?? '')
    const password = rest.join(':') || (entry.password ?? '')
    if (entry.identitytoken !== undefined && entry.identitytoken !== '')
      return { username, password, identityToken: entry.identitytoken }
    if (username !== '' && password !== '') return { username, password }
  }
  return undefined
}

/** The credential helper Docker would ask about the registry. */
export function helperFor(config: DockerConfig, registry: string): string | undefined {
  const name = config.credHelpers?.[configKey(registry)] ?? config.credHelpers?.[registry] ?? config.credsStore
  return typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) ? `docker-credential-${name}` : undefined
}

/** The credentials an earlier step left for the registry; undefined when there are none. */
export async function storedCredentials(
  registry: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Credentials | undefined> {
  const config = readDockerConfig(env)
  const helper = findProgram(helperFor(config, registry) ?? '', env)
  if (helper !== undefined) {
    const answer = await runCommand(helper, ['get'], {
      env: childEnvironment(env),
      input: configKey(registry),
      ...(signal === undefined ? {} : { signal }),
    })
    const { Username: username, Secret: secret } = answer.code === 0 ? parseHelper(answer.stdout) : {}
    if (username !== undefined && secret !== undefined && secret !== '')
      return username === '<token>' ? { username, password: '', identityToken: secret } : { username, password: secret }
  }
  return credentialsIn(config, registry)
}

function parseHelper(answer: string): { Username?: string; Secret?: string } {
  try {
    const { Username, Secret } = JSON.parse(answer) as Record<string, unknown>
    return typeof Username === 'string' && typeof Secret === 'string' ? { Username, Secret } : {}
  } catch {
    return {}
  }
}

/**
 * Leaves the login for later steps, as docker/login-action does: by the docker client where there is one, else as Docker would have written it.
 * The password goes by standard input, never by argument.
 */
export async function logIn(
  registry: string,
  credentials: Credentials,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<void> {
  const { username, password } = credentials
  const docker = findProgram('docker', env)
  const settings = { env: childEnvironment(env), ...(signal === undefined ? {} : { signal }) }
  if (docker !== undefined) {
    const server = registry === 'docker.io' ? [] : [registry]
    const answer = await runCommand(docker, ['login', '--username', username, '--password-stdin', ...server], {
      ...settings,
      input: password,
    })
    if (answer.code === 0) return
    throw new ExpectedFailure(
      'Unauthorized',
      `docker login to ${registry} as ${foreignLine(username, 60)} failed: ${foreignLine(lastLine(answer.stderr), 300)}.`,
    )
  }
  const config = readDockerConfig(env)
  const helper = helperFor(config, registry)
  const program = findProgram(helper ?? '', env)
  if (program !== undefined) {
    const entry = JSON.stringify({ ServerURL: configKey(registry), Username: username, Secret: password })
    const answer = await runCommand(program, ['store'], { ...settings, input: entry })
    if (answer.code === 0) return
    throw new ExpectedFailure(
      'Unauthorized',
      `${helper} would not store the login for ${registry}: ${foreignLine(lastLine(answer.stderr || answer.stdout), 300)}.`,
    )
  }
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  writeDockerConfig(env, { ...config, auths: { ...config.auths, [configKey(registry)]: { auth } } })
}

function writeDockerConfig(env: NodeJS.ProcessEnv, config: DockerConfig): void {
  const folder = dockerConfigFolder(env)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'config.json')
  const part = `${file}.${process.pid}`
  writeFileSync(part, `${JSON.stringify(config, undefined, 2)}\n`, { mode: 0o600 })
  chmodSync(part, 0o600)
  renameSync(part, file)
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim().replace(/\.$/, '') ?? ''
}
