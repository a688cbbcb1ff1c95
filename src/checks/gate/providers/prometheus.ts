// Prometheus, and all that speak its HTTP API: Thanos, Mimir, VictoriaMetrics, Amazon Managed Prometheus.
import { foreignLine } from '../../../runner/foreign-text.ts'
import type { Question } from '../gate.ts'
import { askJson, asList, fault, field } from '../json-request.ts'
import type { PrometheusSettings } from '../plan.ts'
import { type Asking, type Fault, type Point, type Provider, type Reading, type Series, withWindow } from '../provider.ts'

/** Longer queries go in a body: proxies bound the length of an address. */
const LONGEST_ADDRESS = 4_000

export function prometheus(settings: PrometheusSettings, env: NodeJS.ProcessEnv): Provider {
  const base = settings.url.replace(/\/+$/, '')
  const ask = async (path: string, parameters: Readonly<Record<string, string>>, asking: Asking): Promise<Reading> => {
    const form = new URLSearchParams(parameters).toString()
    const inAddress = base.length + path.length + form.length < LONGEST_ADDRESS
    const url = new URL(`${base}${path}${inAddress ? `?${form}` : ''}`)
    const body = inAddress ? undefined : Buffer.from(form)
    const method = inAddress ? 'GET' : 'POST'
    const headers: (readonly [string, string])[] = [...headersOf(settings)]
    if (body !== undefined) headers.push(['content-type', 'application/x-www-form-urlencoded'])
    if (settings.sigv4 !== '') {
      const { signedHeaders } = await import('./sigv4.ts')
      const signed = await signedHeaders({ url, method, headers, body, region: settings.sigv4, service: 'aps' })
      if ('kind' in signed) return signed
      headers.push(...signed)
    }
    const tls = settings.ca === '' ? undefined : { ca: settings.ca }
    const answer = await askJson({ url, method, headers, body, tls, env, who: 'Prometheus', errorIn }, asking)
    return 'kind' in answer ? answer : readAnswer(answer.document)
  }
  return {
    // Without `time` it is the server's own now: this machine's clock may be wrong.
    now: async (question, at, asking) => {
      const query = queryOf(question, asking.windowMs)
      if (typeof query !== 'string') return query
      const instant = (text: string): Promise<Reading> =>
        ask('/api/v1/query', { query: text, timeout: seconds(asking.timeoutMs) }, asking)
      const fresh = freshOnly(query, asking.staleMs)
      const reading = await instant(fresh ?? query)
      if (fresh !== undefined && reading.kind === 'series' && !hasData(reading) && hasData(await instant(query)))
        return {
          kind: 'nothing',
          reason: 'StaleData',
          problem: `gave no data newer than ${Math.round(asking.staleMs / 1_000)} s`,
        }
      return reading.kind === 'series' ? { ...reading, series: reading.series.map(series => newestAt(series, at)) } : reading
    },
    range: async (question, from, to, stepMs, asking) => {
      const query = queryOf(question, asking.windowMs)
      if (typeof query !== 'string') return query
      const range = { start: String(from / 1_000), end: String(to / 1_000), step: String(stepMs / 1_000) }
      return ask('/api/v1/query_range', { query, ...range, timeout: seconds(asking.timeoutMs) }, asking)
    },
    resolved: (question, windowMs) =>
      question.kind === 'expression' ? withWindow(question.text, windowMs).replace(/\s+/g, ' ').trim() : '',
    link: (question, from, to, windowMs) => {
      // Signed requests are for programs: there is no page.
      if (settings.sigv4 !== '' || question.kind !== 'expression') return undefined
      const minutes = Math.max(5, Math.ceil((to - from) / 60_000) * 2)
      const parameters = {
        'g0.expr': withWindow(question.text, windowMs).trim(),
        'g0.tab': '0',
        'g0.range_input': `${minutes}m`,
        'g0.end_input': new Date(to).toISOString().slice(0, 19).replace('T', ' '),
      }
      return `${base}/graph?${new URLSearchParams(parameters)}`
    },
  }
}

function headersOf({ token, username, password, headers }: PrometheusSettings): (readonly [string, string])[] {
  const own: (readonly [string, string])[] = [...headers]
  if (token !== '') own.push(['authorization', `Bearer ${token}`])
  else if (username !== '') own.push(['authorization', `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`])
  return own
}

function seconds(ms: number): string {
  return `${Math.max(1, Math.floor(ms / 1_000))}s`
}

function queryOf(question: Question, windowMs: number): string | Fault {
  if (question.kind !== 'expression') return fault('InvalidQuery', 'is no query for Prometheus', false)
  return withWindow(question.text, windowMs)
}

const SELECTOR = /^[a-zA-Z_:][\w:]*\s*(?:\{(?:[^{}"'`]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)*\})?$/
const AGGREGATION = /^((?:sum|min|max|avg)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\()(.*)(\))$/is

/**
 * The query for what is not older than `staleMs` alone. Prometheus looks for the newest point of a series as far back as it is set to, by default
 * 5 minutes, and says nothing of its age: a gauge that was pushed goes on for that long after its sender's end. Undefined where the query is more
 * than such a series, or one aggregation of some.
 */
export function freshOnly(query: string, staleMs: number): string | undefined {
  const text = query.trim()
  const [, before = '', within = text, after = ''] = AGGREGATION.exec(text) ?? []
  const selector = within.trim()
  if (!SELECTOR.test(selector) || /^(?:inf|nan)$/i.test(selector)) return undefined
  return `${before}${selector} and time() - timestamp(${selector}) <= ${staleMs / 1_000}${after}`
}

function hasData(reading: Reading): boolean {
  return reading.kind === 'series' && reading.series.some(({ points }) => points.length > 0)
}

function errorIn(document: unknown): string | undefined {
  const [error, type] = [field(document, 'error'), field(document, 'errorType')]
  if (typeof error !== 'string') return undefined
  return typeof type === 'string' ? `${type}: ${error}` : error
}

/** An answer of the query API. */
export function readAnswer(document: unknown): Reading {
  const [data, status] = [field(document, 'data'), field(document, 'status')]
  if (status !== 'success')
    return fault(
      'ProviderError',
      `could not be read: Prometheus says ${foreignLine(errorIn(document) ?? 'nothing that is known', 300)}`,
      true,
    )
  // Notes on the query itself begin with PromQL; all other warnings say that a part of the data is missing.
  const partial = asList(field(document, 'warnings')).find(
    warning => typeof warning === 'string' && !warning.startsWith('PromQL'),
  )
  if (partial !== undefined)
    return {
      kind: 'nothing',
      reason: 'PartialData',
      problem: `gave a part of the data only: ${foreignLine(String(partial), 300)}`,
    }
  const [type, result] = [field(data, 'resultType'), field(data, 'result')]
  if (type === 'scalar') return series([{ labels: '{}', points: pointsOf([result]) }])
  if (type === 'vector')
    return series(asList(result).map(each => ({ labels: labelsOf(each), points: pointsOf([field(each, 'value')]) })))
  if (type === 'matrix')
    return series(asList(result).map(each => ({ labels: labelsOf(each), points: pointsOf(asList(field(each, 'values'))) })))
  if (type === 'string') return fault('InvalidQuery', 'is a query that gives a text and no number', false)
  return fault('ProviderError', 'could not be read: Prometheus gave no result that is known', true)
}

function series(all: readonly Series[]): Reading {
  return { kind: 'series', series: all }
}

/** `[1435781451.781, "1.5"]`; anything else is NaN, which is never taken for a value. */
function pointsOf(pairs: readonly unknown[]): Point[] {
  return pairs.map(pair => {
    const [at, text] = asList(pair)
    return { at: typeof at === 'number' ? at * 1_000 : 0, value: numberOf(text) }
  })
}

function numberOf(text: unknown): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  return typeof text === 'string' && text.trim() !== '' ? Number(text) : Number.NaN
}

function labelsOf(each: unknown): string {
  const metric = field(each, 'metric')
  const labels = typeof metric === 'object' && metric !== null ? Object.entries(metric) : []
  return `{${labels.map(([name, value]) => `${name}="${String(value)}"`).join(', ')}}`
}

/** The value of an instant query is that of now, by the server's clock. */
function newestAt({ labels, points }: Series, at: number): Series {
  return { labels, points: points.slice(-1).map(({ value }) => ({ at, value })) }
}
