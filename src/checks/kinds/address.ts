// Where a step of a check file asks: base-url, captured addresses, addresses in a cluster, and who is given credentials.

import { foreignLine } from '../../runner/foreign-text.ts'
import { parseTemplate, TemplateFault } from '../check-file/template.ts'
import { type ClusterService, inItsEyes, isOf, namedBy, readClusterAddress } from '../cluster-service.ts'
import { secretsOfUrl } from '../request-inputs.ts'
import type { Scope } from '../smoke/scope.ts'
import { StepFault, type Tools } from './kind.ts'

export interface Target {
  readonly url: URL
  /** Headers, tokens and the client's certificate may be sent: the file itself, and no server, names the host. */
  readonly trusted: boolean
  /** A Service in the cluster, reached through its API server. */
  readonly cluster?: ClusterService | undefined
  /** For people. */
  readonly shown: string
}

/** Of these a step takes one or more. */
export type Schemes = readonly ('http:' | 'https:' | 'ws:' | 'wss:')[]

export const HTTP: Schemes = ['http:', 'https:']
export const WEBSOCKET: Schemes = ['ws:', 'wss:', 'http:', 'https:']

/**
 * An address as the file has it, with variables filled in.
 * @throws TemplateFault
 */
export function targetOf(text: string, schemes: Schemes, scope: Scope, tools: Tools): Target {
  const filled = scope.fillAddress(text)
  const base = tools.baseUrl
  if (filled.foreign) {
    if (filled.service !== undefined && filled.from !== undefined)
      return givenTarget(filled.text, filled.service, filled.from, schemes)
    const url = parse(
      filled.text,
      filled.from ?? (base === undefined || base.startsWith('k8s:') ? undefined : new URL(base)),
      schemes,
    )
    const named = [filled.from?.origin, ...(base === undefined || !URL.canParse(base) ? [] : [new URL(base).origin])]
    return { url, trusted: named.includes(url.origin), shown: url.href }
  }
  const whole = filled.text.startsWith('/') && !filled.text.startsWith('//') ? joined(base, filled.text) : filled.text
  if (whole.startsWith('k8s://')) return clusterTarget(whole)
  const url = parse(whole, undefined, schemes)
  return { url, trusted: true, shown: url.href }
}

function joined(base: string | undefined, path: string): string {
  if (base === undefined) throw new TemplateFault(`is the path "${path}", and there is no base-url to take it from`)
  return `${base.replace(/\/+$/, '')}${path}`
}

function parse(text: string, base: URL | undefined, schemes: Schemes): URL {
  if (!URL.canParse(text, base?.href))
    throw new TemplateFault(
      `is no address that can be read; write it like ${schemes[0]}//example.com/health, or /health with a base-url`,
    )
  const url = new URL(text, base?.href)
  if (!(schemes as readonly string[]).includes(url.protocol))
    throw new TemplateFault(
      `has the scheme ${url.protocol}//, and takes ${schemes.map(each => `${each}//`).join(', ')}${schemes === HTTP ? ' or k8s://' : ''}`,
    )
  if (url.username !== '' || url.password !== '') throw new TemplateFault('has credentials in the address; use basic or bearer')
  url.hash = ''
  return url
}

function clusterTarget(text: string): Target {
  const read = readClusterAddress(text)
  if (read === undefined) throw new TemplateFault('is no address in a cluster; write it like k8s://namespace/service:port/path')
  return targetIn(read.service, read.url)
}

function targetIn(cluster: ClusterService, url: URL): Target {
  if (!isOf(cluster, url)) throw new TemplateFault('leads out of the service by its path')
  return { url, trusted: true, cluster, shown: `${cluster.shown}${inItsEyes(cluster, url).href.slice(url.origin.length)}` }
}

/** An address that a Service gave is asked of that Service. One on another host is asked from here as any other. */
function givenTarget(text: string, service: ClusterService, from: URL, schemes: Schemes): Target {
  const url = parse(text, inItsEyes(service, from), schemes)
  const named = namedBy(service, url)
  if (named !== undefined) return targetIn(service, named)
  if (LOOPBACK.test(url.hostname))
    throw new TemplateFault(
      `was captured as ${foreignLine(url.href, 200)}, which is this machine, and for the Service itself; let it answer with a path, or capture a part of it for k8s://namespace/service:port/\${...}`,
    )
  return { url, trusted: false, shown: url.href }
}

const LOOPBACK = /^(?:(?:.*\.)?localhost\.?|127\..*|0\.0\.0\.0|\[::1?\])$/

/** What can be said of an address before anything is captured. @throws StepFault */
export function checkAddress(
  text: string,
  path: readonly PropertyKey[],
  schemes: Schemes,
  scope: Scope,
  tools: Tools,
  captures: ReadonlySet<string>,
): void {
  try {
    const parts = parseTemplate(text)
    const first = parts.findIndex(part => 'name' in part && captures.has(part.name))
    if (first < 0) {
      const { url } = targetOf(text, schemes, scope, tools)
      for (const secret of secretsOfUrl(url.href)) tools.mask(secret)
      return
    }
    if (first === 0 && parts.length === 1) return
    const before = parts
      .slice(0, first)
      .map(part => ('text' in part ? part.text : scope.fill(`\${${part.name}}`)))
      .join('')
    if (!/^[a-z0-9+.-]+:\/\/[^/?#]+[/?#]/i.test(before) && !/^\/([^/]|$)/.test(before))
      throw new TemplateFault('has a captured value in its host: a server would choose where the request goes')
  } catch (error) {
    if (error instanceof TemplateFault) throw new StepFault(path, error.message)
    throw error
  }
}
