// The check file's `gate:` part: metrics that a release is held against. The published JSON Schema is made from this.
import { z } from 'zod'
import { count, duration, share, template } from '../check-file/fields.ts'
import { AGGREGATES } from './gate.ts'
import { PRESETS } from './presets.ts'
import { parseAmount, parseThreshold, ThresholdFault, UNITS } from './threshold.ts'

const seconds = duration(1_000)
const number = z.number({ error: 'must be a number' })
/** `0.5%`, `200ms`, or a number. */
const amount = z.union([z.string(), z.number()], { error: 'must be a number, or a text such as 0.5% or 200ms' })
const consecutive = count(1, 1_000)
const failureLimit = count(0, 10_000)
const minimumSamples = count(1, 10_000)
const LABEL = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

const metricSchema = z
  .strictObject({
    namespace: template,
    name: template,
    dimensions: z.record(z.string(), template).optional(),
    statistic: z
      .string()
      .regex(/^(Sum|Average|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d+)?|p100|tm\d{1,2}|tc\d{1,2})$/, {
        error: 'must be a statistic of CloudWatch such as Sum, Average, Maximum or p95',
      })
      .optional()
      .meta({ description: 'Average unless given.' }),
    period: seconds.optional().meta({ description: '60s unless given.' }),
  })
  .meta({ description: 'A metric of CloudWatch.' })

const baselineSchema = z
  .strictObject({
    before: z
      .union([z.literal(true), duration(10_000)])
      .optional()
      .meta({
        description:
          'Against the same query before the deploy began: over so long a time, or with true as long as the gate lasts.',
      }),
    query: template.optional().meta({ description: 'Against the version that is known to be good: the same query for it.' }),
    ratio: z
      .string()
      .optional()
      .meta({
        description: 'How many times the baseline a value may be, such as `< 2`.',
        examples: ['< 2', '> 0.8'],
      }),
    confidence: share.optional().meta({
      description:
        'All values together against all of the baseline, by the Mann-Whitney U test: 99% fails a release that is no worse one time in a hundred.',
    }),
    worse: z
      .enum(['higher', 'lower'])
      .optional()
      .meta({ description: 'With confidence: which values are the worse ones. higher unless given.' }),
    effect: number.min(1).max(1_000).optional().meta({
      description: 'With confidence: how many times worse the mean must be as well. 1.5 unless given.',
    }),
    ignore: amount.optional().meta({ description: 'What is good whatever the baseline was, such as 0.5%.' }),
  })
  .superRefine((baseline, context) => {
    const both = (what: string): void => context.addIssue({ code: 'custom', message: what })
    if ((baseline.before === undefined) === (baseline.query === undefined)) both('needs either before or query')
    if ((baseline.ratio === undefined) === (baseline.confidence === undefined)) both('needs either ratio or confidence')
    if (baseline.confidence === undefined && (baseline.worse !== undefined || baseline.effect !== undefined))
      both('has worse or effect, which go with confidence')
    if (baseline.confidence !== undefined && (baseline.confidence < 0.5 || baseline.confidence >= 1))
      context.addIssue({ code: 'custom', path: ['confidence'], message: 'must be from 50% to less than 100%' })
  })

export const querySchema = z
  .strictObject({
    name: z.string().min(1).max(80).meta({ description: 'What it is called in the log and in the report.' }),
    query: template.optional().meta({
      description:
        "PromQL, Datadog's query language, or metric math of CloudWatch over `metrics`. `$window` stands for the gate's window.",
    }),
    metric: metricSchema.optional(),
    metrics: z
      .record(
        z.string().regex(/^[a-z][A-Za-z0-9_]{0,60}$/, { error: 'must be a name that begins with a small letter' }),
        metricSchema,
      )
      .optional()
      .meta({ description: 'The metrics of CloudWatch that `query` computes with, by the names it gives them.' }),
    preset: z
      .enum(Object.keys(PRESETS) as [string, ...string[]])
      .optional()
      .meta({ description: 'A ready query, with its threshold.' }),
    labels: z.record(z.string(), template).optional().meta({
      description:
        'For a preset: labels of the series (dimensions in CloudWatch) and their values; `~` before a value makes it a regular expression.',
    }),
    threshold: z
      .string()
      .optional()
      .meta({ description: 'What a good value is.', examples: ['< 5%', '< 500ms', '>= 0.95'] }),
    unit: z
      .enum(UNITS)
      .optional()
      .meta({ description: 'What one unit of its values is. The threshold says so unless it is a plain number.' }),
    baseline: baselineSchema.optional(),
    'burn-rate': z
      .strictObject({
        objective: share.meta({
          description: 'The share of requests that go well, such as 99.9%. The query gives the share that fail.',
        }),
        limit: number
          .positive()
          .optional()
          .meta({ description: 'How many times faster than allowed the budget may be spent. 14.4 unless given.' }),
      })
      .optional(),
    aggregate: z
      .enum(AGGREGATES)
      .optional()
      .meta({ description: 'How several series become one value. Without it there must be exactly one.' }),
    events: template.optional().meta({ description: 'A query for the number of requests (or jobs) behind a value.' }),
    'minimum-events': count(1, 1_000_000_000).optional().meta({ description: 'With fewer events a value says nothing.' }),
    'minimum-samples': minimumSamples
      .optional()
      .meta({ description: 'Values that a pass needs. Half of those planned unless given.' }),
    weight: number
      .positive()
      .max(1_000_000)
      .optional()
      .meta({ description: 'A query with a weight is not critical unless it says so.' }),
    critical: z
      .boolean()
      .optional()
      .meta({ description: 'The gate fails with it, whatever the others say. true unless it has a weight.' }),
    consecutive: consecutive.optional(),
    'failure-limit': failureLimit.optional(),
  })
  .superRefine((query, context) => {
    const fault = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: path === '' ? [] : [path], message })
    const asked = [query.query, query.metric, query.preset].filter(value => value !== undefined).length
    if (asked !== 1) fault('', `needs one of query, metric and preset${asked === 0 ? '' : `, and has ${asked} of them`}`)
    if (query.metrics !== undefined && query.query === undefined) fault('metrics', 'goes with query, which computes with them')
    if (query.labels !== undefined && query.preset === undefined) fault('labels', 'goes with preset')
    if (query['minimum-events'] !== undefined && query.events === undefined && query.preset === undefined)
      fault('minimum-events', 'needs events, the query that counts them')
    const rules = [query.threshold, query.baseline, query['burn-rate'], query.preset].filter(value => value !== undefined)
    if (rules.length === 0) fault('', 'has nothing to be held against: give it a threshold, a baseline or a burn-rate')
    if (query['burn-rate'] !== undefined && (query.threshold !== undefined || query.baseline !== undefined))
      fault('burn-rate', 'stands alone, without threshold and baseline')
    if (query['burn-rate'] !== undefined && !(query['burn-rate'].objective < 1))
      fault('burn-rate', 'needs an objective below 100%: else there is no budget')
    if (query['burn-rate'] !== undefined && query.query !== undefined && !query.query.includes('$window'))
      fault('query', 'must have $window where the time of its rate stands: a burn rate is measured over two windows')
    for (const label of Object.keys(query.labels ?? {}))
      if (!LABEL.test(label)) fault('labels', `"${label.slice(0, 40)}" is no name of a label`)
    for (const [path, text] of [
      ['threshold', query.threshold],
      ['baseline', query.baseline?.ratio],
    ] as const) {
      if (text === undefined || text.includes('${')) continue
      try {
        parseThreshold(text, path === 'baseline' ? 'number' : query.unit)
      } catch (error) {
        if (!(error instanceof ThresholdFault)) throw error
        fault(path, error.message)
      }
    }
    const ignore = query.baseline?.ignore
    if (ignore !== undefined && !String(ignore).includes('${')) {
      const read = parseAmount(String(ignore), query.unit)
      if (read === undefined || 'fault' in read)
        fault('baseline', `ignore: "${String(ignore).slice(0, 40)}" is no number, percentage or duration`)
    }
  })

/** Queries of one gate that are asked at most: each is a request every interval. */
const MOST_QUERIES = 50

export const queriesSchema = z
  .array(querySchema)
  .min(1)
  .max(MOST_QUERIES)
  .superRefine((queries, context) => {
    const names = queries.map(({ name }) => name)
    for (const [index, name] of names.entries())
      if (names.indexOf(name) < index)
        context.addIssue({ code: 'custom', path: [index, 'name'], message: 'is the name of another query too' })
  })

export const gateSchema = z
  .strictObject({
    provider: z
      .enum(['prometheus', 'cloudwatch', 'datadog'])
      .optional()
      .meta({ description: 'Where the queries go. prometheus unless given.' }),
    prometheus: z
      .strictObject({
        url: template,
        token: template.optional().meta({ description: 'A bearer token.' }),
        username: template.optional(),
        password: template.optional(),
        headers: z
          .record(z.string(), template)
          .optional()
          .meta({ description: "Further headers, such as Mimir's X-Scope-OrgID." }),
        ca: template.optional().meta({ description: 'The certificate of the authority to trust, PEM.' }),
        sigv4: template.optional().meta({ description: 'Sign for Amazon Managed Prometheus in this region.' }),
      })
      .optional(),
    cloudwatch: z.strictObject({ region: template.optional() }).optional(),
    datadog: z.strictObject({ url: template.optional(), 'api-key': template, 'app-key': template }).optional(),
    queries: queriesSchema.optional(),
    alarms: z
      .array(template)
      .max(MOST_QUERIES)
      .optional()
      .meta({ description: 'Alarms of CloudWatch, by name: none may be in ALARM.' }),
    duration: seconds.optional().meta({ description: 'How long the release is watched. 5m unless given.' }),
    interval: duration(200)
      .optional()
      .meta({ description: 'Time between two values, for CloudWatch at least the period. 15s unless given.' }),
    window: seconds.optional().meta({ description: 'What `$window` stands for in queries. 1m unless given.' }),
    delay: duration(0).optional().meta({
      description:
        'Time before the first value. The window, where a query has `$window`; two periods, where the queries are for CloudWatch; else none.',
    }),
    'stale-after': seconds.optional().meta({ description: 'A data point older than this says nothing. 5m unless given.' }),
    'provider-timeout': duration(0)
      .optional()
      .meta({ description: 'How long a query may get no usable answer. 1m unless given.' }),
    consecutive: consecutive.optional().meta({ description: 'Bad values in a row that make a failure. 4 unless given.' }),
    'failure-limit': failureLimit.optional().meta({ description: 'Bad values in all that are put up with. 6 unless given.' }),
    'minimum-samples': minimumSamples.optional(),
    'minimum-score': share.optional().meta({ description: 'The share of the weight that must pass. 100% unless given.' }),
    'early-pass': count(1, 10_000)
      .optional()
      .meta({ description: 'Good values in a row of every query that end the gate early.' }),
    'on-no-data': z.enum(['inconclusive', 'fail', 'pass']).optional(),
  })
  .refine(gate => (gate.queries ?? []).length + (gate.alarms ?? []).length > 0, {
    error: 'has neither queries nor alarms: nothing would be asked',
  })
  .meta({ description: 'Metrics that decide whether a release stays.' })

/** What stands in the part, defaults not filled in. */
export type GateContent = z.output<typeof gateSchema>
export type QueryContent = z.output<typeof querySchema>
