// Datadog: GET /api/v1/query, as its API reference has it.
import { foreignLine } from '../../../runner/foreign-text.ts'
import type { Question } from '../gate.ts'
import { askJson, asList, fault, field } from '../json-request.ts'
import { type Asking, type Provider, type Reading, withWindow } from '../provider.ts'

export interface DatadogSettings {
  readonly url: string
  readonly apiKey: string
  readonly appKey: string
}

/** How far back the newest point is looked for: metrics reach Datadog within some minutes. */
const LOOK_BACK_MS = 600_000

export function datadog({ url, apiKey, appKey }: DatadogSettings, env: NodeJS.ProcessEnv): Provider {
  const base = url.replace(/\/+$/, '')
  const range = async (question: Question, from: number, to: number, asking: Asking): Promise<Reading> => {
    if (question.kind !== 'expression') return fault('InvalidQuery', 'is no query for Datadog', false)
    const parameters = { from: seconds(from), to: seconds(to), query: withWindow(question.text, asking.windowMs) }
    const answer = await askJson(
      {
        url: new URL(`${base}/api/v1/query?${new URLSearchParams(parameters)}`),
        headers: [
          ['dd-api-key', apiKey],
          ['dd-application-key', appKey],
        ],
        env,
        who: 'Datadog',
        errorIn,
      },
      asking,
    )
    return 'kind' in answer ? answer : readAnswer(answer.document)
  }
  return {
    now: (question, at, asking) => range(question, at - Math.max(LOOK_BACK_MS, asking.windowMs), at, asking),
    range: (question, from, to, _stepMs, asking) => range(question, from, to, asking),
    resolved: (question, windowMs) => (question.kind === 'expression' ? withWindow(question.text, windowMs) : ''),
    link: (question, from, to, windowMs) => {
      if (question.kind !== 'expression' || !/^https:\/\/api\./.test(base)) return undefined
      const parameters = { exp_metric: withWindow(question.text, windowMs), start: String(from), end: String(to), paused: 'true' }
      return `${base.replace('://api.', '://app.')}/metric/explorer?${new URLSearchParams(parameters)}`
    },
  }
}

function seconds(ms: number): string {
  return String(Math.floor(ms / 1_000))
}

function errorIn(document: unknown): string | undefined {
  const errors = asList(field(document, 'errors')).filter(error => typeof error === 'string')
  const error = field(document, 'error')
  return errors.length > 0 ? errors.join('; ') : typeof error === 'string' && error !== '' ? error : undefined
}

/** `pointlist` has pairs of milliseconds and value; a null is a moment without a value. */
function readAnswer(document: unknown): Reading {
  if (field(document, 'status') !== 'ok')
    return fault(
      'ProviderError',
      `could not be read: Datadog says ${foreignLine(errorIn(document) ?? 'nothing that is known', 300)}`,
      true,
    )
  return {
    kind: 'series',
    series: asList(field(document, 'series')).map(each => ({
      labels: `{${String(field(each, 'scope') ?? '')}}`,
      points: asList(field(each, 'pointlist')).flatMap(point => {
        const [at, value] = asList(point)
        return typeof at === 'number' && typeof value === 'number' ? [{ at, value }] : []
      }),
    })),
  }
}
