// What smoke-test takes and gives. Loaded before anything else: nothing heavy is imported here.
import { parseJsonAssertion } from '../../../src/checks/json-assertion.ts'
import { parseStatusPatterns } from '../../../src/checks/status-pattern.ts'
import { parseVersionSource } from '../../../src/checks/version-source.ts'
import { parseReleaseAddress } from '../../../src/deploy/release-address.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import { choice, duration, InputFault, integer, list, text } from '../../../src/runner/inputs.ts'
import { parseHeader, parseUrl, secretsOfHeaders, secretsOfUrl } from './request-inputs.ts'

const inputs = {
  url: text({ required: true, parse: parseUrl, secret: secretsOfUrl }),
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
} as const satisfies ActionDefinition<typeof inputs, string>

/** The address as it was given, once it is known to be one that can be marked; empty when there is none. */
function parseVerifies(raw: string): string {
  if (raw === '') return ''
  try {
    // A deployment of several services has several addresses.
    for (const address of raw.split(/\s+/)) parseReleaseAddress(address)
    return raw
  } catch (error) {
    throw error instanceof ExpectedFailure ? new InputFault(error.message) : error
  }
}
