// What smoke-test takes and gives. Loaded before anything else: nothing heavy is imported here.
import { parseJsonAssertion } from '../../../src/checks/json-assertion.ts'
import { parseHeader, parseUrl, secretsOfHeaders, secretsOfUrl } from '../../../src/checks/request-inputs.ts'
import { parseStatusPatterns } from '../../../src/checks/status-pattern.ts'
import { parseVerifies } from '../../../src/checks/verifies.ts'
import { parseVersionSource } from '../../../src/checks/version-source.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { choice, duration, integer, list, text } from '../../../src/runner/inputs.ts'

const inputs = {
  url: text({ parse: (raw: string) => (raw === '' ? undefined : parseUrl(raw)), secret: secretsOfUrl }),
  checks: text(),
  status: list({ default: '200', each: parseStatusPatterns }),
  'body-contains': list(),
  json: list({ each: parseJsonAssertion }),
  header: list({ each: parseHeader, secret: secretsOfHeaders }),
  version: text(),
  'version-from': text({ default: '.version', parse: parseVersionSource }),
  consecutive: integer({ default: '1', min: 1, max: 1_000 }),
  timeout: duration({ default: '2m', atLeast: '1s' }),
  interval: duration({ default: '2s', atLeast: '100ms' }),
  'on-unreachable': choice(['failed', 'inconclusive'], { default: 'failed' }),
  'on-inconclusive': choice(['fail', 'warn'], { default: 'fail' }),
  verifies: text({ parse: parseVerifies }),
  kubeconfig: text(),
  context: text(),
}

export const definition = {
  name: 'smoke-test',
  inputs,
  outputs: ['result', 'reason', 'message', 'passed', 'failed', 'report', 'p95-ms', 'summary'],
  check: values => [
    ...(values.url === undefined && values.checks === '' ? ['url: give url, checks, or both'] : []),
    ...(values.checks === ''
      ? []
      : (['body-contains', 'json', 'header', 'version'] as const)
          .filter(name => values[name].length > 0)
          .map(name => `${name}: is of the one request to url, and checks has its own; write it into the check file`)),
  ],
} as const satisfies ActionDefinition<typeof inputs, string>
