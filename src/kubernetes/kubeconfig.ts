// What a kubeconfig says, as far as we must know it: the context, its server, and what in it is secret. kubectl reads it for itself.
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { closest } from '../runner/closest-name.ts'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { isNamespaceName } from './namespace.ts'

interface Named {
  readonly name: string
  readonly [key: string]: unknown
}

export interface Kubeconfig {
  readonly currentContext: string
  readonly contexts: readonly Named[]
  readonly clusters: readonly Named[]
  readonly users: readonly Named[]
}

/** One context with what it leads to. */
export interface Target {
  readonly context: string
  readonly server: string
  readonly user: string
  readonly namespace: string
  /** The command of the auth plugin, where there is one. */
  readonly plugin: string | undefined
}

const LIMIT_BYTES = 1024 * 1024

/**
 * The YAML or JSON text of a kubeconfig given plain or in base64.
 * @throws ExpectedFailure InvalidInput
 */
export function decodeKubeconfig(given: string): string {
  if (Buffer.byteLength(given) > LIMIT_BYTES) throw wrong('is larger than 1 MiB.')
  const compact = given.replace(/\s+/g, '')
  if (given.includes(':') || compact === '') return given
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact))
    throw wrong('is neither YAML nor base64. Give the content of the file, or what "base64 -w0 kubeconfig" prints.')
  const bytes = Buffer.from(compact, 'base64')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw wrong('looks like base64 but does not decode to text; it may have been cut. Give what "base64 -w0 kubeconfig" prints.')
  }
  if (!text.includes(':')) throw wrong('is base64, but what it decodes to is no kubeconfig.')
  return text
}

/**
 * Reads the text of a kubeconfig.
 * @throws ExpectedFailure InvalidInput, which quotes nothing of the text
 */
export async function parseKubeconfig(text: string, source = ''): Promise<Kubeconfig> {
  const { parseDocument } = await import('yaml')
  // Without pretty errors, which would quote the line, and with it perhaps a token.
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'silent', uniqueKeys: false })
  const [error] = document.errors
  if (error !== undefined) {
    const line = text.slice(0, error.pos[0]).split('\n').length
    throw wrong(`${source}is not valid YAML (line ${line}, ${error.code}).`)
  }
  let root: unknown
  try {
    root = document.toJS({ maxAliasCount: 100 })
  } catch {
    throw wrong(`${source}has aliases that can't be followed, or that expand to too much.`)
  }
  if (!isRecord(root)) throw wrong(`${source}is no kubeconfig: it holds no mapping with clusters, contexts and users.`)
  return {
    currentContext: textOf(root['current-context']),
    contexts: namedList(root['contexts']),
    clusters: namedList(root['clusters']),
    users: namedList(root['users']),
  }
}

/**
 * The files that kubectl would read by itself, merged as it merges them: of each name the first one counts. Undefined when there is none.
 * @throws ExpectedFailure InvalidInput for a file that is no kubeconfig
 */
export async function readDefaultKubeconfig(env: NodeJS.ProcessEnv): Promise<Kubeconfig | undefined> {
  const listed = env['KUBECONFIG'] ?? ''
  const files =
    listed === '' ? [join(env['HOME'] ?? homedir(), '.kube', 'config')] : listed.split(delimiter).filter(file => file !== '')
  const parsed: Kubeconfig[] = []
  for (const file of files) {
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw wrong(`file ${foreignLine(file)} can't be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`)
    }
    if (text.trim() !== '') parsed.push(await parseKubeconfig(text, `file ${foreignLine(file)} `))
  }
  if (parsed.length === 0) return undefined
  const merged = (list: 'contexts' | 'clusters' | 'users'): Named[] => [
    ...new Map(
      parsed
        .flatMap(one => one[list])
        .map((named): [string, Named] => [named.name, named])
        .reverse(),
    ).values(),
  ]
  return {
    currentContext: parsed.map(one => one.currentContext).find(name => name !== '') ?? '',
    contexts: merged('contexts'),
    clusters: merged('clusters'),
    users: merged('users'),
  }
}

/**
 * The context that is meant, `wanted` or the current one, and what it leads to.
 * @throws ExpectedFailure InvalidInput that names the contexts there are
 */
export function findTarget(config: Kubeconfig, wanted: string): Target {
  const names = config.contexts.map(context => foreignLine(context.name, 100))
  const there =
    names.length === 0 ? 'It has no contexts.' : `It has ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', ...' : ''}.`
  const name = wanted === '' ? config.currentContext : wanted
  if (name === '') throw wrong(`has no current-context, and the input "context" names none. ${there}`)
  const context = config.contexts.find(one => one.name === name)
  if (context === undefined) {
    const near = closest(name, names)
    throw wrong(
      `has no context "${foreignLine(name, 100)}". ${there}${near === undefined || names.length < 2 ? '' : ` Did you mean ${near}?`}`,
    )
  }
  const inner = recordOf(context['context'])
  const [clusterName, userName] = [textOf(inner['cluster']), textOf(inner['user'])]
  const of = `context "${foreignLine(name, 100)}"`
  const cluster = config.clusters.find(one => one.name === clusterName)
  if (cluster === undefined) throw wrong(`has ${of}, but no cluster "${foreignLine(clusterName, 100)}" that it names.`)
  const server = textOf(recordOf(cluster['cluster'])['server'])
  if (server === '') throw wrong(`says no server for cluster "${foreignLine(clusterName, 100)}" of ${of}.`)
  const user = config.users.find(one => one.name === userName)
  if (user === undefined && userName !== '') throw wrong(`has ${of}, but no user "${foreignLine(userName, 100)}" that it names.`)
  const namespace = textOf(inner['namespace']) || 'default'
  if (!isNamespaceName(namespace))
    throw wrong(`has ${of} with the namespace "${foreignLine(namespace, 100)}", which is no namespace's name.`)
  const plugin = textOf(recordOf(recordOf(user?.['user'])['exec'])['command'])
  return {
    context: name,
    server: withoutCredentials(server),
    user: userName,
    namespace,
    plugin: plugin === '' ? undefined : plugin,
  }
}

/** The values in a kubeconfig that nobody may see. */
export function secretsOf(config: Kubeconfig): string[] {
  const found = config.clusters.flatMap(named => {
    const cluster = recordOf(named['cluster'])
    return ['server', 'proxy-url'].flatMap(key => passwordsOf(textOf(cluster[key])))
  })
  for (const named of config.users) {
    const user = recordOf(named['user'])
    found.push(...['token', 'password', 'client-key-data'].map(key => textOf(user[key])))
    const provider = recordOf(recordOf(user['auth-provider'])['config'])
    found.push(
      ...Object.keys(provider)
        .filter(isSecretName)
        .map(key => textOf(provider[key])),
    )
    const variables = recordOf(user['exec'])['env']
    for (const variable of Array.isArray(variables) ? variables.map(recordOf) : [])
      if (isSecretName(textOf(variable['name']))) found.push(textOf(variable['value']))
  }
  return [...new Set(found.filter(secret => secret !== ''))]
}

function isSecretName(name: string): boolean {
  return /token|secret|password|(access|api|private|account)[-_]?key/i.test(name) && !/url|uri/i.test(name)
}

/** `https://user:password@host` is allowed by nobody, but a URL is what the user wrote. */
function withoutCredentials(server: string): string {
  return foreignLine(server.replace(CREDENTIALS, '$1'), 300)
}

const CREDENTIALS = /^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i

/** The password in a URL, as it is written there and as it is meant. */
function passwordsOf(url: string): string[] {
  const [, password = ''] = /^[^/]*\/\/[^/:]*:([^/]*)@/.exec(url) ?? []
  try {
    return [password, decodeURIComponent(password)]
  } catch {
    return [password]
  }
}

function wrong(what: string): ExpectedFailure {
  return new ExpectedFailure('InvalidInput', `The kubeconfig ${what}`)
}

function namedList(value: unknown): Named[] {
  return Array.isArray(value) ? value.filter((one): one is Named => isRecord(one) && typeof one['name'] === 'string') : []
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}
