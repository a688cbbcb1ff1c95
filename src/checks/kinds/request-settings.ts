// Who asks, and how the server is reached: headers, tokens, certificates, a given address, the road into a cluster.
import { ExpectedFailure } from '../../runner/failure.ts'
import type { HttpStep } from '../check-file/smoke-schema.ts'
import { TemplateFault } from '../check-file/template.ts'
import type { ClusterService } from '../cluster-service.ts'
import { parseHostPort, type TlsSettings } from '../net/open.ts'
import { secretsOfHeaders } from '../request-inputs.ts'
import type { Scope } from '../smoke/scope.ts'
import type { Target } from './address.ts'
import { at, readTls, StepFault, type Tools } from './kind.ts'

export interface Settings {
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly tls: TlsSettings | undefined
  readonly resolve: string | undefined
  readonly http2: boolean | undefined
}

/** Headers, tokens and certificates of a step, over the defaults of the file; values stay templates. */
export async function compileSettings(
  given: Pick<HttpStep, 'headers' | 'bearer' | 'basic' | 'tls' | 'resolve' | 'http2'>,
  path: readonly PropertyKey[],
  tools: Tools,
): Promise<Settings> {
  const defaults = tools.smoke.defaults ?? {}
  const own = new Set(Object.keys(given.headers ?? {}).map(name => name.toLowerCase()))
  const headers = [
    ...Object.entries(defaults.headers ?? {}).filter(([name]) => !own.has(name.toLowerCase())),
    ...Object.entries(given.headers ?? {}),
  ]
  const auth = given.bearer !== undefined || given.basic !== undefined ? given : defaults
  if (auth.bearer !== undefined) headers.push(['authorization', `Bearer ${auth.bearer}`])
  if (auth.basic !== undefined) {
    const { user, password } = auth.basic
    const credentials = await at(
      [...path, 'basic'],
      () => `${tools.file.variables.fill(user)}:${tools.file.variables.fill(password)}`,
    )
    tools.mask(credentials.slice(credentials.indexOf(':') + 1))
    headers.push(['authorization', `Basic ${Buffer.from(credentials).toString('base64')}`])
  }
  for (const [name, value] of headers) {
    if (OURS.has(name.toLowerCase()))
      throw new StepFault([...path, 'headers', name], 'is set by the request itself and cannot be given')
    // A captured value is masked when it is captured.
    try {
      for (const secret of secretsOfHeaders(`${name}: ${tools.file.variables.fill(value)}`)) tools.mask(secret)
    } catch (error) {
      if (!(error instanceof TemplateFault)) throw error
    }
  }
  const tls = await readTls(given.tls ?? defaults.tls, [...path, 'tls'], tools)
  const resolve = await compileResolve(given.resolve ?? defaults.resolve, [...path, 'resolve'], tools)
  return { headers, tls, resolve, http2: given.http2 }
}

const OURS = new Set(['connection', 'content-length', 'transfer-encoding', 'upgrade', 'keep-alive', 'te', 'trailer', 'expect'])

export async function compileResolve(
  given: string | undefined,
  path: readonly PropertyKey[],
  tools: Tools,
): Promise<string | undefined> {
  if (given === undefined) return undefined
  const text = await at(path, () => tools.file.variables.fill(given))
  if (parseHostPort(text) === undefined) throw new StepFault(path, 'must be an IP address, with or without a port')
  return text
}

/** Header values with their variables; a captured value must be one that a header can carry. @throws TemplateFault */
export function fillHeaders(headers: Settings['headers'], scope: Scope): (readonly [string, string])[] {
  return headers.map(([name, value]) => {
    const filled = scope.fill(value)
    if (/[^\t\x20-\x7e\x80-\xff]/.test(filled))
      throw new TemplateFault(`has a value for the header ${name} that no header can carry`)
    return [name, filled] as const
  })
}

/** The road to the target, where it is none of its own. */
export async function reachOf(
  target: Target,
  tools: Tools,
): Promise<
  | { readonly socketPath?: string; readonly service?: ClusterService }
  | { readonly stage: 'impossible'; readonly code: string; readonly problem: string }
> {
  if (target.cluster === undefined) return {}
  try {
    return { socketPath: (await tools.cluster()).socketPath, service: target.cluster }
  } catch (error) {
    if (!(error instanceof ExpectedFailure)) throw error
    return { stage: 'impossible', code: error.reason, problem: `cannot be asked from here: ${error.message}` }
  }
}
