// What monitoring-gate takes and gives. Loaded before anything else: nothing heavy is imported here.
import { parseHeader, secretsOfHeaders, secretsOfUrl } from '../../../src/checks/request-inputs.ts'
import { parseVerifies } from '../../../src/checks/verifies.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { parseDuration } from '../../../src/runner/duration.ts'
import { boolean, choice, duration, InputFault, type InputValues, integer, list, text } from '../../../src/runner/inputs.ts'

const inputs = {
  provider: choice(['prometheus', 'cloudwatch', 'datadog'], { default: 'prometheus' }),
  'prometheus-url': text({ parse: parseAddress, secret: secretsOfUrl }),
  'prometheus-token': text({ secret: true }),
  'prometheus-username': text(),
  'prometheus-password': text({ secret: true }),
  'prometheus-header': list({ each: parseHeader, secret: secretsOfHeaders }),
  'prometheus-ca': text({ parse: parseCertificate }),
  'prometheus-sigv4': boolean({ default: 'false' }),
  'aws-region': text(),
  'datadog-url': text({ default: 'https://api.datadoghq.com', parse: parseAddress, secret: secretsOfUrl }),
  'datadog-api-key': text({ secret: true }),
  'datadog-app-key': text({ secret: true }),
  queries: text(),
  alarms: list(),
  checks: text(),
  duration: duration({ default: '5m', atLeast: '1s' }),
  interval: duration({ default: '15s', atLeast: '200ms' }),
  window: duration({ default: '1m', atLeast: '1s' }),
  delay: text({ parse: parseDelay }),
  consecutive: integer({ default: '4', min: 1, max: 1_000 }),
  'failure-limit': integer({ default: '6', min: 0, max: 10_000 }),
  'minimum-samples': text({ parse: parseCount }),
  'minimum-score': text({ default: '100%', parse: parseShare }),
  'early-pass': integer({ default: '0', min: 0, max: 10_000 }),
  'stale-after': duration({ default: '5m', atLeast: '1s' }),
  'provider-timeout': duration({ default: '1m' }),
  'deployed-at': text({ parse: parseTime }),
  'on-no-data': choice(['inconclusive', 'fail', 'pass'], { default: 'inconclusive' }),
  'on-inconclusive': choice(['fail', 'warn'], { default: 'fail' }),
  verifies: text({ parse: parseVerifies }),
  kubeconfig: text(),
  context: text(),
}

export const definition = {
  name: 'monitoring-gate',
  inputs,
  outputs: ['result', 'reason', 'message', 'measurements', 'summary'],
  check: together,
} as const satisfies ActionDefinition<typeof inputs, string>

export type GateInputs = InputValues<typeof inputs>

/** What only several inputs together show. */
function together(values: InputValues<typeof inputs>): readonly string[] {
  const { provider, queries, alarms, checks } = values
  const faults: string[] = []
  if (checks !== '') {
    if (queries !== '' || alarms.length > 0) faults.push('checks: is given with queries or alarms; put them into the check file')
    return faults
  }
  if (queries === '' && alarms.length === 0) faults.push('queries: nothing is given to be asked; give queries, alarms or checks')
  if (provider === 'prometheus' && queries !== '' && values['prometheus-url'] === '')
    faults.push('prometheus-url: is needed for the queries')
  if (provider === 'datadog' && (values['datadog-api-key'] === '' || values['datadog-app-key'] === ''))
    faults.push('datadog-api-key: and datadog-app-key are needed; are the secrets they come from set?')
  if (values['prometheus-token'] !== '' && values['prometheus-username'] !== '')
    faults.push('prometheus-token: and prometheus-username exclude one another')
  if (values['prometheus-sigv4'] && values['aws-region'] === '') faults.push('aws-region: is needed to sign for')
  if (values.window > values.duration && /\$window|preset:/.test(queries)) faults.push('window: is longer than the duration')
  return faults
}

/** An http(s) address without credentials and query: it is printed, and linked to. */
function parseAddress(raw: string): string {
  if (raw === '') return ''
  if (!/^https?:\/\//i.test(raw) || !URL.canParse(raw))
    throw new InputFault('is no URL; write it like https://prometheus.example.com')
  const url = new URL(raw)
  if (url.username !== '' || url.password !== '') throw new InputFault('has credentials in it; there are inputs for them')
  if (url.search !== '') throw new InputFault('has a query in it, which is not sent; take it out')
  url.hash = ''
  return url.href.replace(/\/+$/, '')
}

function parseCertificate(raw: string): string {
  if (raw !== '' && !raw.includes('-----BEGIN CERTIFICATE-----'))
    throw new InputFault('is no certificate in PEM (-----BEGIN CERTIFICATE-----)')
  return raw
}

function parseDelay(raw: string): number | undefined {
  if (raw === '') return undefined
  const ms = parseDuration(raw)
  if (ms === undefined) throw new InputFault(`"${raw}" is no duration; write it like 90s or 10m`)
  return ms
}

function parseCount(raw: string): number | undefined {
  if (raw === '') return undefined
  if (!/^[1-9]\d{0,3}$/.test(raw)) throw new InputFault(`"${raw}" is no whole number from 1 to 9999`)
  return Number(raw)
}

/** `80%` or `0.8` as 0.8. */
function parseShare(raw: string): number {
  const [, percent, plain] = /^(?:(\d+(?:\.\d+)?)\s*%|(\d+(?:\.\d+)?))$/.exec(raw) ?? []
  const share = percent === undefined ? Number(plain) : Number(percent) / 100
  if (!(share >= 0 && share <= 1)) throw new InputFault(`"${raw}" is no share; write it like 80% or 0.8`)
  return share
}

/** An instant in ISO 8601, or in seconds since 1970; in ms. */
function parseTime(raw: string): number | undefined {
  if (raw === '') return undefined
  const ms = /^\d{9,11}$/.test(raw) ? Number(raw) * 1_000 : /^\d{4}-\d{2}-\d{2}T/.test(raw) ? Date.parse(raw) : Number.NaN
  if (Number.isNaN(ms)) throw new InputFault(`"${raw}" is no time; write it like 2026-01-31T12:00:00Z, or in seconds since 1970`)
  return ms
}
