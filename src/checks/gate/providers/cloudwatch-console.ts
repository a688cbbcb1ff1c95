// Addresses of CloudWatch's own pages. The console keeps a graph in its address, in a notation of its own (JSURL, with * for what is escaped).
import type { MetricDataQuery } from '@aws-sdk/client-cloudwatch'

export function alarmPage(region: string, name: string): string {
  return `${home(region)}#alarmsV2:alarm/${encodeURIComponent(name)}`
}

export function metricsPage(region: string, queries: readonly MetricDataQuery[], from: number, to: number): string {
  const metrics = queries.map(({ Id = '', Expression, MetricStat, ReturnData }) => {
    const options = { id: Id, ...(ReturnData === false ? { visible: false } : {}) }
    if (Expression !== undefined) return [{ ...options, expression: Expression }]
    const { Metric, Stat = 'Average', Period = 60 } = MetricStat ?? {}
    const dimensions = (Metric?.Dimensions ?? []).flatMap(({ Name = '', Value = '' }) => [Name, Value])
    return [Metric?.Namespace ?? '', Metric?.MetricName ?? '', ...dimensions, { ...options, stat: Stat, period: Period }]
  })
  const graph = {
    metrics,
    view: 'timeSeries',
    stacked: false,
    region,
    start: new Date(from - (to - from)).toISOString(),
    end: new Date(to).toISOString(),
  }
  return `${home(region)}#metricsV2:graph=${jsurl(graph)}`
}

function home(region: string): string {
  const safe = encodeURIComponent(region)
  return `https://${safe}.console.aws.amazon.com/cloudwatch/home?region=${safe}`
}

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json }

export function jsurl(value: Json): string {
  if (typeof value === 'string') return `~'${escaped(value)}`
  if (typeof value === 'number' || typeof value === 'boolean') return `~${value}`
  if (Array.isArray(value)) return `~(${value.length === 0 ? '~' : value.map(jsurl).join('')})`
  return `~(${Object.entries(value)
    .map(([key, each]) => `${escaped(key)}${jsurl(each)}`)
    .join('~')})`
}

function escaped(text: string): string {
  return text.replace(/[^\w.-]/g, character => {
    if (character === '$') return '!'
    const code = character.charCodeAt(0)
    return code < 0x100 ? `*${code.toString(16).padStart(2, '0')}` : `**${code.toString(16).padStart(4, '0')}`
  })
}
