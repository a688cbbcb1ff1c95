// Ready queries for metrics whose names are the same everywhere: what a service's library, ingress or mesh counts by itself.
import type { CloudWatchMetric, Question } from './gate.ts'
import type { Unit } from './threshold.ts'

export interface Preset {
  readonly provider: 'prometheus' | 'cloudwatch'
  /** For the README. */
  readonly about: string
  readonly unit: Unit
  readonly threshold: string
  /** @param labels label (or dimension) to value; a value that begins with ~ is a regular expression */
  readonly question: (labels: Labels) => Question
  /** Requests, or jobs, behind one value. */
  readonly events: (labels: Labels) => Question
  /** With fewer the value says nothing: of 20 requests one error is 5 %. */
  readonly minimumEvents: number
}

export type Labels = Readonly<Record<string, string>>

/** What counts requests by status, and times them. */
interface Source {
  readonly what: string
  /** A counter of requests; of a histogram its `_count`. */
  readonly requests: string
  readonly status: string
  readonly buckets: string
  readonly unit: 's' | 'ms'
}

const SOURCES: Readonly<Record<string, Source>> = {
  // OpenTelemetry's semantic conventions for HTTP servers, as its Prometheus exporters name them.
  opentelemetry: {
    what: 'OpenTelemetry HTTP server metrics',
    requests: 'http_server_request_duration_seconds_count',
    status: 'http_response_status_code',
    buckets: 'http_server_request_duration_seconds_bucket',
    unit: 's',
  },
  'nginx-ingress': {
    what: 'the ingress-nginx controller',
    requests: 'nginx_ingress_controller_requests',
    status: 'status',
    buckets: 'nginx_ingress_controller_request_duration_seconds_bucket',
    unit: 's',
  },
  istio: {
    what: 'Istio',
    requests: 'istio_requests_total',
    status: 'response_code',
    buckets: 'istio_request_duration_milliseconds_bucket',
    unit: 'ms',
  },
  traefik: {
    what: 'Traefik',
    requests: 'traefik_service_requests_total',
    status: 'code',
    buckets: 'traefik_service_request_duration_seconds_bucket',
    unit: 's',
  },
  // Micrometer; buckets need management.metrics.distribution.percentiles-histogram.http.server.requests=true.
  spring: {
    what: 'Spring Boot (Micrometer)',
    requests: 'http_server_requests_seconds_count',
    status: 'status',
    buckets: 'http_server_requests_seconds_bucket',
    unit: 's',
  },
  'prom-client': {
    what: 'prom-client under the names most Node.js middleware gives',
    requests: 'http_request_duration_seconds_count',
    status: 'status_code',
    buckets: 'http_request_duration_seconds_bucket',
    unit: 's',
  },
}

const MINIMUM_EVENTS = 100

const promql = (text: string): Question => ({ kind: 'expression', text })

/** `{namespace="shop",pod=~"web-.*"}`, every value quoted: what stands in a variable cannot leave its quotes. */
export function selector(labels: Labels, more: readonly string[] = []): string {
  const own = Object.entries(labels).map(([name, value]) =>
    value.startsWith('~') ? `${name}=~${JSON.stringify(value.slice(1))}` : `${name}=${JSON.stringify(value)}`,
  )
  return `{${[...own, ...more].join(',')}}`
}

/**
 * Errors that never happened have no series, so a service without fault would give no data: `or vector(0)` makes that 0. Without any
 * request the divisor is empty, and so is the whole.
 */
function errorShare({ requests, status }: Source, labels: Labels): string {
  const errors = `sum(rate(${requests}${selector(labels, [`${status}=~"5.."`])}[$window]))`
  return `(${errors} or vector(0)) / sum(rate(${requests}${selector(labels)}[$window]))`
}

function count({ requests }: Source, labels: Labels): string {
  return `sum(increase(${requests}${selector(labels)}[$window]))`
}

function presetsOf(name: string, source: Source): [string, Preset][] {
  const common = {
    provider: 'prometheus',
    events: (labels: Labels) => promql(count(source, labels)),
    minimumEvents: MINIMUM_EVENTS,
  } as const
  const share = { ...common, unit: 'ratio', question: (labels: Labels) => promql(errorShare(source, labels)) } as const
  return [
    [`${name}/error-rate`, { ...share, threshold: '< 5%', about: `answers 5xx among all, by ${source.what}` }],
    [`${name}/api-errors`, { ...share, threshold: '< 2%', about: `the same, for an API` }],
    [
      `${name}/p95`,
      {
        ...common,
        unit: source.unit,
        threshold: '< 1s',
        about: `95th percentile of the times of all answers, by ${source.what}`,
        question: labels => promql(`histogram_quantile(0.95, sum by (le) (rate(${source.buckets}${selector(labels)}[$window])))`),
      },
    ],
  ]
}

const PERIOD_SECONDS = 60

function alb(name: string, statistic: string, labels: Labels): CloudWatchMetric {
  return { namespace: 'AWS/ApplicationELB', name, dimensions: labels, statistic, periodSeconds: PERIOD_SECONDS }
}

const ALB = {
  provider: 'cloudwatch',
  events: (labels: Labels): Question => ({ kind: 'metric', metric: alb('RequestCount', 'Sum', labels) }),
  minimumEvents: MINIMUM_EVENTS,
} as const

/** Counts of errors that did not happen are not reported at all, hence FILL. */
const ALB_ERRORS = {
  ...ALB,
  unit: 'ratio',
  question: (labels: Labels): Question => ({
    kind: 'expression',
    text: 'FILL(errors, 0) / requests',
    metrics: { errors: alb('HTTPCode_Target_5XX_Count', 'Sum', labels), requests: alb('RequestCount', 'Sum', labels) },
  }),
} as const

/** The label that says how a job ended, and what it says of one that went well, can be given; these are the most usual. */
const JOB_METRIC = 'jobs_total'

export const PRESETS: Readonly<Record<string, Preset>> = {
  ...Object.fromEntries(Object.entries(SOURCES).flatMap(([name, source]) => presetsOf(name, source))),
  'jobs/success': {
    provider: 'prometheus',
    about: `jobs that went well among all: a counter \`${JOB_METRIC}\` (or that of \`__name__\`) with \`status="success"\``,
    unit: 'ratio',
    threshold: '> 95%',
    minimumEvents: 20,
    question: labels => {
      const { __name__: metric = JOB_METRIC, ...rest } = labels
      return promql(
        `(sum(rate(${metric}${selector(rest, ['status="success"'])}[$window])) or vector(0)) / sum(rate(${metric}${selector(rest)}[$window]))`,
      )
    },
    events: labels => {
      const { __name__: metric = JOB_METRIC, ...rest } = labels
      return promql(`sum(increase(${metric}${selector(rest)}[$window]))`)
    },
  },
  'alb/error-rate': { ...ALB_ERRORS, threshold: '< 5%', about: 'answers 5xx of the targets of an Application Load Balancer' },
  'alb/api-errors': { ...ALB_ERRORS, threshold: '< 2%', about: 'the same, for an API' },
  'alb/p95': {
    ...ALB,
    unit: 's',
    threshold: '< 1s',
    about: "95th percentile of an Application Load Balancer's TargetResponseTime",
    question: labels => ({ kind: 'metric', metric: alb('TargetResponseTime', 'p95', labels) }),
  },
}
