// From what stands in a check file, or in the inputs of an action, to the gate that is run: defaults, presets, one rule for each query.
import { formatDuration } from '../../runner/duration.ts'
import { ExpectedFailure } from '../../runner/failure.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import {
  type Baseline,
  type CloudWatchMetric,
  type Gate,
  type GateQuery,
  plannedSamples,
  type Question,
  type Rule,
} from './gate.ts'
import { PRESETS, type Preset } from './presets.ts'
import { asksForWindow, periodSeconds } from './provider.ts'
import type { GateContent, QueryContent } from './schema.ts'
import {
  formatThreshold,
  isUpperLimit,
  parseAmount,
  parseThreshold,
  type Threshold,
  ThresholdFault,
  type Unit,
} from './threshold.ts'

/** Where queries go, with what they need to get there. */
export interface ProviderSettings {
  readonly provider: 'prometheus' | 'cloudwatch' | 'datadog'
  readonly prometheus?: PrometheusSettings
  readonly cloudwatch: { readonly region?: string }
  readonly datadog?: { readonly url: string; readonly apiKey: string; readonly appKey: string }
}

export interface PrometheusSettings {
  readonly url: string
  readonly token: string
  readonly username: string
  readonly password: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** PEM. */
  readonly ca: string
  /** The AWS region to sign for; empty: requests are not signed. */
  readonly sigv4: string
}

/**
 * What is documented, and what the false alarm table is measured with. A window of 1 m holds four values 15 s apart: four bad ones in a row are
 * two windows that share no request. Six of the seventeen values of 5 m may be bad: that many a spike of a minute makes.
 */
export const DEFAULTS = {
  durationMs: 300_000,
  intervalMs: 15_000,
  windowMs: 60_000,
  staleMs: 300_000,
  providerTimeoutMs: 60_000,
  consecutive: 4,
  failureLimit: 6,
  /** Google's SRE workbook: at this rate 2 % of a month's budget are gone in an hour. */
  burnRate: 14.4,
  effect: 1.5,
} as const

export interface GatePlan {
  readonly gate: Gate
  readonly settings: ProviderSettings
}

/**
 * @param fill puts variables into a text
 * @param deployedAt when the deploy began, in ms since 1970
 * @throws ExpectedFailure InvalidInput for what only shows once variables are filled in, or in the whole
 */
export function planGate(content: GateContent, fill: (text: string) => string = text => text, deployedAt?: number): GatePlan {
  const provider = content.provider ?? 'prometheus'
  const windowMs = content.window ?? DEFAULTS.windowMs
  const queries = (content.queries ?? []).flatMap(query => planQuery(query, content, provider, windowMs, fill))
  const durationMs = content.duration ?? DEFAULTS.durationMs
  const delayMs = content.delay ?? Math.min(durationMs, Math.max(0, ...queries.map(each => ownDelay(each, provider, windowMs))))
  const gate: Gate = {
    queries: [
      ...queries.map(query => ({ ...query, delayMs })),
      ...(content.alarms ?? []).map(name => planAlarm(fill(name), content)),
    ],
    durationMs,
    windowMs,
    staleMs: content['stale-after'] ?? DEFAULTS.staleMs,
    providerTimeoutMs: content['provider-timeout'] ?? DEFAULTS.providerTimeoutMs,
    onNoData: content['on-no-data'] ?? 'inconclusive',
    minimumScore: content['minimum-score'] ?? 1,
    earlyPass: content['early-pass'],
    deployedAt,
  }
  if (delayMs > durationMs) throw wrong(`the delay is longer than the duration, so that nothing would be measured`)
  for (const query of gate.queries) {
    const planned = plannedSamples(gate, query)
    if ((query.minimumSamples ?? 0) > planned)
      throw wrong(
        `${query.name}: minimum-samples is ${query.minimumSamples}, and there is time for ${planned} values only, one each ${formatDuration(query.intervalMs)}; give a longer duration or a shorter interval`,
      )
  }
  return { gate, settings: planProvider(content, provider, fill) }
}

/** How long after the gate's begin a query speaks of the time since then alone: its window, or the first whole period of CloudWatch. */
function ownDelay({ question }: PlannedQuery, provider: ProviderSettings['provider'], windowMs: number): number {
  const wholePeriodMs = provider === 'cloudwatch' ? 2 * periodSeconds(question) * 1_000 : 0
  return Math.max(wholePeriodMs, asksForWindow(question) ? windowMs : 0)
}

function wrong(what: string): ExpectedFailure {
  return new ExpectedFailure('InvalidInput', `The gate is wrong, nothing was changed: ${what}.`)
}

/** When its first value is asked for all queries of a gate say together. */
type PlannedQuery = Omit<GateQuery, 'delayMs'>

/** A threshold and a baseline are two queries: each has a verdict of its own. */
function planQuery(
  content: QueryContent,
  gate: GateContent,
  provider: ProviderSettings['provider'],
  windowMs: number,
  fill: (text: string) => string,
): PlannedQuery[] {
  const { name } = content
  const inQuery = (what: string): ExpectedFailure => wrong(`query ${foreignLine(name, 80)}: ${what}`)
  const preset = content.preset === undefined ? undefined : PRESETS[content.preset]
  if (preset !== undefined && preset.provider !== provider)
    throw inQuery(`the preset ${content.preset} is for ${preset.provider}, and the provider is ${provider}`)
  if (content.metric !== undefined && provider !== 'cloudwatch')
    throw inQuery(`metric is for cloudwatch, and the provider is ${provider}; give a query`)
  const read = (text: string, unit: Unit | undefined): Threshold => {
    try {
      return parseThreshold(fill(text), unit)
    } catch (error) {
      throw error instanceof ThresholdFault ? inQuery(error.message) : error
    }
  }
  const given =
    content.threshold ?? (content.baseline === undefined && content['burn-rate'] === undefined ? preset?.threshold : undefined)
  const threshold = given === undefined ? undefined : read(given, content.unit ?? preset?.unit)
  const unit = content.unit ?? preset?.unit ?? threshold?.unit ?? 'number'
  const question = questionOf(content, preset, fill)
  const periodMs = provider === 'cloudwatch' ? periodSeconds(question) * 1_000 : 0
  const intervalMs = Math.max(gate.interval ?? DEFAULTS.intervalMs, periodMs)
  const common: Omit<PlannedQuery, 'rule'> = {
    name,
    question,
    unit,
    aggregate: content.aggregate,
    events: eventsOf(content, preset, fill),
    minimumSamples: content['minimum-samples'] ?? gate['minimum-samples'],
    intervalMs,
    weight: content.weight ?? 1,
    critical: content.critical ?? content.weight === undefined,
    consecutive: content.consecutive ?? gate.consecutive ?? DEFAULTS.consecutive,
    failureLimit: content['failure-limit'] ?? gate['failure-limit'] ?? DEFAULTS.failureLimit,
  }
  const burnRate = content['burn-rate']
  if (burnRate !== undefined) {
    const rule: Rule = { kind: 'burn-rate', objective: burnRate.objective, limit: burnRate.limit ?? DEFAULTS.burnRate }
    return [{ ...common, unit: 'number', rule }]
  }
  const queries: PlannedQuery[] = threshold === undefined ? [] : [{ ...common, rule: { kind: 'threshold', threshold } }]
  const { baseline } = content
  if (baseline !== undefined) {
    const ignoreText = baseline.ignore === undefined ? undefined : fill(String(baseline.ignore))
    const ignored = ignoreText === undefined ? undefined : parseAmount(ignoreText, content.unit ?? preset?.unit)
    if (ignoreText !== undefined && (ignored === undefined || 'fault' in ignored))
      throw inQuery(`baseline: ignore: "${foreignLine(ignoreText, 40)}" is no number, percentage or duration`)
    const within = (upper: boolean): Threshold | undefined =>
      ignored === undefined || 'fault' in ignored ? undefined : { comparison: upper ? '<=' : '>=', ...ignored }
    const source: Baseline =
      baseline.query !== undefined
        ? { kind: 'stable', question: expression(fill(baseline.query), content.metrics, fill) }
        : { kind: 'before', spanMs: baseline.before === true ? (gate.duration ?? DEFAULTS.durationMs) : (baseline.before ?? 0) }
    const shown = unit === 'number' && ignored !== undefined && !('fault' in ignored) ? ignored.unit : unit
    const against = { ...common, name: threshold === undefined ? name : `${name}, to its baseline`, unit: shown }
    if (baseline.ratio !== undefined) {
      const ratio = read(baseline.ratio, 'number')
      queries.push({ ...against, rule: { kind: 'ratio', ratio, ignore: within(isUpperLimit(ratio)), baseline: source } })
    } else {
      const worse = baseline.worse ?? 'higher'
      const rule: Rule = {
        kind: 'rank',
        worse,
        confidence: baseline.confidence ?? 0.99,
        effect: baseline.effect ?? DEFAULTS.effect,
        ignore: within(worse === 'higher'),
        baseline: source,
      }
      // Values nearer to one another than the window share their requests, and two such are not two witnesses.
      const apart = asksForWindow(common.question) ? Math.ceil(windowMs / intervalMs) * intervalMs : intervalMs
      queries.push({ ...against, rule, intervalMs: Math.max(intervalMs, apart) })
    }
  }
  return queries
}

function expression(text: string, metrics: QueryContent['metrics'], fill: (text: string) => string): Question {
  if (metrics === undefined) return { kind: 'expression', text }
  const filled = Object.fromEntries(Object.entries(metrics).map(([id, metric]) => [id, metricOf(metric, fill)]))
  return { kind: 'expression', text, metrics: filled }
}

function metricOf(metric: NonNullable<QueryContent['metric']>, fill: (text: string) => string): CloudWatchMetric {
  return {
    namespace: fill(metric.namespace),
    name: fill(metric.name),
    dimensions: Object.fromEntries(Object.entries(metric.dimensions ?? {}).map(([name, value]) => [name, fill(value)])),
    statistic: metric.statistic ?? 'Average',
    periodSeconds: Math.max(1, Math.round((metric.period ?? 60_000) / 1_000)),
  }
}

function labelsOf({ labels = {} }: QueryContent, fill: (text: string) => string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, fill(value)]))
}

function questionOf(content: QueryContent, preset: Preset | undefined, fill: (text: string) => string): Question {
  if (preset !== undefined) return preset.question(labelsOf(content, fill))
  if (content.metric !== undefined) return { kind: 'metric', metric: metricOf(content.metric, fill) }
  return expression(fill(content.query ?? ''), content.metrics, fill)
}

function eventsOf(content: QueryContent, preset: Preset | undefined, fill: (text: string) => string): GateQuery['events'] {
  const minimum = content['minimum-events'] ?? preset?.minimumEvents ?? 1
  if (content.events !== undefined) return { question: expression(fill(content.events), content.metrics, fill), minimum }
  return preset === undefined ? undefined : { question: preset.events(labelsOf(content, fill)), minimum }
}

/** An alarm has counted its own periods before it goes off: once is enough. */
function planAlarm(name: string, gate: GateContent): GateQuery {
  return {
    name: `alarm ${foreignLine(name, 120)}`,
    question: { kind: 'alarm', name },
    rule: { kind: 'alarm' },
    unit: 'number',
    aggregate: undefined,
    events: undefined,
    minimumSamples: undefined,
    delayMs: gate.delay ?? 0,
    intervalMs: gate.interval ?? DEFAULTS.intervalMs,
    weight: 1,
    critical: true,
    consecutive: 1,
    failureLimit: 0,
  }
}

function planProvider(
  content: GateContent,
  provider: ProviderSettings['provider'],
  fill: (text: string) => string,
): ProviderSettings {
  const { prometheus, cloudwatch, datadog } = content
  const text = (value: string | undefined): string => (value === undefined ? '' : fill(value))
  const region = text(cloudwatch?.region)
  const queried = (content.queries ?? []).length > 0
  if (provider === 'prometheus' && queried && prometheus === undefined)
    throw wrong('it has queries for prometheus and no prometheus.url')
  if (provider === 'datadog' && queried && datadog === undefined) throw wrong('it has queries for datadog and no keys for it')
  return {
    provider,
    cloudwatch: region === '' ? {} : { region },
    ...(prometheus === undefined
      ? {}
      : {
          prometheus: {
            url: text(prometheus.url),
            token: text(prometheus.token),
            username: text(prometheus.username),
            password: text(prometheus.password),
            headers: Object.entries(prometheus.headers ?? {}).map(([name, value]) => [name, fill(value)] as const),
            ca: text(prometheus.ca),
            sigv4: text(prometheus.sigv4),
          },
        }),
    ...(datadog === undefined
      ? {}
      : {
          datadog: {
            url: text(datadog.url) || 'https://api.datadoghq.com',
            apiKey: text(datadog['api-key']),
            appKey: text(datadog['app-key']),
          },
        }),
  }
}

/** The rule in words: `must stay < 5 %`. */
export function describeRule({ rule, unit }: GateQuery): string {
  switch (rule.kind) {
    case 'threshold':
      return `must stay ${formatThreshold(rule.threshold)}`
    case 'ratio':
      return `must stay ${formatThreshold(rule.ratio)} times ${describeBaseline(rule.baseline)}${rule.ignore === undefined ? '' : `, or ${formatThreshold({ ...rule.ignore, unit })}`}`
    case 'rank':
      return `must not be ${rule.worse} than ${describeBaseline(rule.baseline)} (Mann-Whitney U, ${Math.round(rule.confidence * 10_000) / 100} % sure, and ${rule.effect} times)`
    case 'burn-rate':
      return `must not burn the budget of ${Math.round(rule.objective * 100_000) / 1_000} % ${rule.limit} times as fast as allowed`
    case 'alarm':
      return 'must not be in ALARM'
  }
}

function describeBaseline(baseline: Baseline): string {
  return baseline.kind === 'before' ? 'what it was before' : 'the stable version'
}
