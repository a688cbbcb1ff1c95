import { describe, expect, test } from '@jest/globals'
import { definition, type GateInputs } from '../../actions/monitoring-gate/src/definition.ts'
import { DEFAULTS } from '../../src/checks/gate/plan.ts'
import { inputSecrets, inputVariable, readInputs } from '../../src/runner/inputs.ts'

const variables = (inputs: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(inputs).map(([name, value]) => [inputVariable(name), value]))
const read = (inputs: Record<string, string>): GateInputs => readInputs(definition.inputs, variables(inputs), definition.check)
const url = 'https://prometheus.example.com'
const queries = '- { name: q, query: up, threshold: < 1 }'
const ca = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----'

describe('the inputs of monitoring-gate', () => {
  test('have the defaults that the plan has', () => {
    expect(read({ 'prometheus-url': url, queries })).toMatchObject({
      provider: 'prometheus',
      duration: DEFAULTS.durationMs,
      interval: DEFAULTS.intervalMs,
      window: DEFAULTS.windowMs,
      'stale-after': DEFAULTS.staleMs,
      'provider-timeout': DEFAULTS.providerTimeoutMs,
      consecutive: DEFAULTS.consecutive,
      'failure-limit': DEFAULTS.failureLimit,
      'minimum-score': 1,
      'minimum-samples': undefined,
      'early-pass': 0,
      delay: undefined,
      'deployed-at': undefined,
      'on-no-data': 'inconclusive',
      'on-inconclusive': 'fail',
    })
  })

  test.each<[Record<string, string>, Partial<Record<keyof GateInputs, unknown>>]>([
    [{ alarms: 'a\nb' }, { alarms: ['a', 'b'], queries: '' }],
    [{ checks: 'a.yml' }, { checks: 'a.yml' }],
    [{ alarms: 'a', 'prometheus-url': `${url}/prometheus/#x` }, { 'prometheus-url': `${url}/prometheus` }],
    [{ alarms: 'a', 'minimum-score': '80%' }, { 'minimum-score': 0.8 }],
    [{ alarms: 'a', 'minimum-score': '0.8' }, { 'minimum-score': 0.8 }],
    [
      { alarms: 'a', delay: '0s', 'minimum-samples': '7' },
      { delay: 0, 'minimum-samples': 7 },
    ],
    [{ alarms: 'a', 'deployed-at': '2026-01-31T12:00:00Z' }, { 'deployed-at': Date.UTC(2026, 0, 31, 12) }],
    [{ alarms: 'a', 'deployed-at': '1769860800' }, { 'deployed-at': 1_769_860_800_000 }],
    [{ alarms: 'a', 'prometheus-ca': ca }, { 'prometheus-ca': ca }],
    // The window plays no part where nothing asks for it.
    [{ 'prometheus-url': url, queries, duration: '10s' }, { duration: 10_000 }],
  ])('%j', (inputs, values) => {
    expect(read(inputs)).toMatchObject(values)
  })

  test.each<[Record<string, string>, string]>([
    [{}, 'queries: nothing is given to be asked; give queries, alarms or checks'],
    [{ queries }, 'prometheus-url: is needed for the queries'],
    [{ checks: 'a.yml', alarms: 'a' }, 'checks: is given with queries or alarms'],
    [{ queries, 'prometheus-url': 'prometheus:9090' }, 'prometheus-url: is no URL'],
    [{ queries, 'prometheus-url': 'https://u:p@x/' }, 'prometheus-url: has credentials in it; there are inputs for them'],
    [{ queries, 'prometheus-url': `${url}/?a=b` }, 'prometheus-url: has a query in it'],
    [{ queries, 'prometheus-url': url, 'prometheus-token': 't', 'prometheus-username': 'u' }, 'exclude one another'],
    [{ queries, 'prometheus-url': url, 'prometheus-sigv4': 'true' }, 'aws-region: is needed to sign for'],
    [{ queries, 'prometheus-url': url, 'prometheus-ca': 'x' }, 'prometheus-ca: is no certificate'],
    [
      { queries: '- { name: q, query: "rate(x[$window])", threshold: < 1 }', 'prometheus-url': url, duration: '30s' },
      'window: is longer than the duration',
    ],
    [{ queries, provider: 'datadog' }, 'datadog-api-key: and datadog-app-key are needed'],
    [{ alarms: 'a', provider: 'grafana' }, 'provider: "grafana" is none of'],
    [{ alarms: 'a', 'minimum-score': '120%' }, 'minimum-score: "120%" is no share'],
    [{ alarms: 'a', 'minimum-samples': '0' }, 'minimum-samples: "0" is no whole number'],
    [{ alarms: 'a', 'deployed-at': 'yesterday' }, 'deployed-at: "yesterday" is no time'],
    [{ alarms: 'a', delay: 'soon' }, 'delay: "soon" is no duration'],
    [{ alarms: 'a', 'on-no-data': 'warn' }, 'on-no-data: "warn" is none of'],
    [{ alarms: 'a', verifies: 'ecs://c/s' }, 'verifies: '],
  ])('%j is wrong: %s', (inputs, fault) => {
    expect(() => read(inputs)).toThrow(fault)
  })

  test('secrets are masked, right or wrong', () => {
    const secrets = inputSecrets(
      definition.inputs,
      variables({
        'prometheus-url': 'https://me:w0rd1@x/?token=t0ken',
        'prometheus-token': 'abc1',
        'prometheus-password': 'abc2',
        'prometheus-header': 'X-Api-Key: abc3',
        'datadog-api-key': 'abc4',
        'datadog-app-key': 'abc5',
      }),
    )
    expect(secrets).toEqual(expect.arrayContaining(['w0rd1', 't0ken', 'abc1', 'abc2', 'abc3', 'abc4', 'abc5']))
  })
})
