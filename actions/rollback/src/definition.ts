// The inputs and outputs of rollback.
import { parseReleaseAddress } from '../../../src/deploy/release-address.ts'
import { parseCluster, parseRegion, parseService } from '../../../src/ecs/entries.ts'
import { parseNamespace } from '../../../src/kubernetes/namespace.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { boolean, choice, duration, InputFault, list, text } from '../../../src/runner/inputs.ts'

const inputs = {
  target: choice(['k8s', 'ecs'], { default: 'k8s' }),
  app: text(),
  namespace: text({ parse: parseNamespace }),
  kubeconfig: text(),
  context: text(),
  cluster: text({ parse: raw => (raw === '' ? '' : parseCluster(raw)) }),
  service: list({ each: parseService }),
  'aws-region': text({ parse: parseRegion }),
  to: text({ default: 'last-verified', parse: parseTo }),
  'bad-release': text({ parse: parseBadRelease }),
  timeout: duration({ default: '10m', atLeast: '1s' }),
  'stable-for': duration({ default: '10s' }),
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
  check: values => [
    ...(values['stable-for'] >= values.timeout ? ['stable-for: must be shorter than timeout'] : []),
    ...(values.target === 'ecs' && values.cluster === '' ? ['cluster: is required for target ecs and was not given'] : []),
    ...(values.target === 'ecs' && values.service.length === 0 ? ['service: is required for target ecs and was not given'] : []),
    ...(values.target === 'k8s' && (values.cluster !== '' || values.service.length > 0)
      ? ['target: cluster and service are for target ecs']
      : []),
  ],
}

function parseTo(raw: string): 'previous' | 'last-verified' | number {
  if (raw === 'previous' || raw === 'last-verified') return raw
  if (/^[1-9]\d{0,8}$/.test(raw)) return Number(raw)
  throw new InputFault(`"${raw}" is neither previous, nor last-verified, nor a release number`)
}

interface BadRelease {
  /** 0 for what is live. */
  readonly number: number
  /** `<namespace>/<app>` or `ecs://<cluster>/<service>` where an address was given. */
  readonly of: string
}

function parseBadRelease(raw: string): BadRelease {
  if (raw === '') return { number: 0, of: '' }
  if (/^[1-9]\d{0,8}$/.test(raw)) return { number: Number(raw), of: '' }
  const [first = '', ...others] = raw.split(/\s+/)
  const address = parseReleaseAddress(first)
  if (address.platform === 'ecs') {
    // A deployment of several services has several addresses; all of them are of one revision, or the platform says which is not live.
    for (const other of others) parseReleaseAddress(other)
    return { number: address.revision, of: `ecs://${address.cluster}/${address.service}` }
  }
  if (others.length > 0) throw new InputFault(`"${raw}" names more than one release`)
  return { number: address.number, of: `${address.namespace}/${address.app}` }
}
