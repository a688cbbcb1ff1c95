// The inputs and outputs of rollback.
import { parseReleaseAddress } from '../../../src/deploy/release-address.ts'
import { parseNamespace } from '../../../src/kubernetes/namespace.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { boolean, choice, duration, InputFault, text } from '../../../src/runner/inputs.ts'

const inputs = {
  target: choice(['k8s'], { default: 'k8s' }),
  app: text(),
  namespace: text({ parse: parseNamespace }),
  kubeconfig: text(),
  context: text(),
  to: text({ default: 'last-verified', parse: parseTo }),
  'bad-release': text({ parse: parseBadRelease }),
  timeout: duration({ default: '10m', atLeast: '1s' }),
  'stable-for': duration({ default: '10s' }),
  checks: text(),
  'on-inconclusive': choice(['fail', 'warn'], { default: 'fail' }),
  'dry-run': boolean({ default: 'false' }),
  'lock-timeout': duration({ default: '0s' }),
}

export type RollbackOutput =
  | 'result'
  | 'reason'
  | 'message'
  | 'release'
  | 'previous-release'
  | 'restored'
  | 'revision'
  | 'digests'
  | 'summary'

export const definition: ActionDefinition<typeof inputs, RollbackOutput> = {
  name: 'rollback',
  inputs,
  outputs: ['result', 'reason', 'message', 'release', 'previous-release', 'restored', 'revision', 'digests', 'summary'],
  check: values => (values['stable-for'] >= values.timeout ? ['stable-for: must be shorter than timeout'] : []),
}

function parseTo(raw: string): 'previous' | 'last-verified' | number {
  if (raw === 'previous' || raw === 'last-verified') return raw
  if (/^[1-9]\d{0,8}$/.test(raw)) return Number(raw)
  throw new InputFault(`"${raw}" is neither previous, nor last-verified, nor a release number`)
}

interface BadRelease {
  /** 0 for what is live. */
  readonly number: number
  /** `<namespace>/<app>` where an address was given. */
  readonly of: string
}

function parseBadRelease(raw: string): BadRelease {
  if (raw === '') return { number: 0, of: '' }
  if (/^[1-9]\d{0,8}$/.test(raw)) return { number: Number(raw), of: '' }
  const address = parseReleaseAddress(raw)
  if (address.platform !== 'k8s')
    throw new InputFault(`"${raw}" is no release on Kubernetes; write k8s://<namespace>/<app>/<number>, or its number`)
  return { number: address.number, of: `${address.namespace}/${address.app}` }
}
