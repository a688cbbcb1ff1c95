// The inputs and outputs of rollback.
import { parseReleaseAddress } from '../../../src/deploy/release-address.ts'
import { parseCluster, parseRegion, parseService } from '../../../src/ecs/entries.ts'
import { parseNamespace } from '../../../src/kubernetes/namespace.ts'
import type { RollbackTarget } from '../../../src/kubernetes/targets.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { closest } from '../../../src/runner/closest-name.ts'
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
  'codedeploy-application': text(),
  'codedeploy-deployment-group': text(),
  to: text({ default: 'last-verified', parse: parseTo }),
  'bad-release': text({ parse: parseBadRelease }),
  timeout: duration({ default: '10m', atLeast: '1s' }),
  'stable-for': duration({ default: '10s' }),
  checks: text(),
  'on-inconclusive': choice(['fail', 'warn'], { default: 'fail' }),
  'dry-run': boolean({ default: 'false' }),
  'lock-timeout': duration({ default: '0s' }),
  'incident-issue': boolean({ default: 'false' }),
  'incident-title': text(),
  'github-token': text({ secret: true }),
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
  | 'issue-number'
  | 'summary'

export const definition: ActionDefinition<typeof inputs, RollbackOutput> = {
  name: 'rollback',
  inputs,
  outputs: [
    'result',
    'reason',
    'message',
    'release',
    'previous-release',
    'restored',
    'revision',
    'digests',
    'issue-number',
    'summary',
  ],
  check: values => [
    ...(values['stable-for'] >= values.timeout ? ['stable-for: must be shorter than timeout'] : []),
    ...(values['incident-issue'] && values['github-token'] === ''
      ? ['github-token: incident-issue needs one that may write issues, such as github.token with the permission "issues: write"']
      : []),
    ...(values['incident-title'] !== '' && !values['incident-issue']
      ? ['incident-title: is of no use without incident-issue']
      : []),
    ...(values.target === 'ecs' && values.cluster === '' ? ['cluster: is required for target ecs and was not given'] : []),
    ...(values.target === 'ecs' && values.service.length === 0 ? ['service: is required for target ecs and was not given'] : []),
    ...(values.target === 'k8s' && (values.cluster !== '' || values.service.length > 0)
      ? ['target: cluster and service are for target ecs']
      : []),
    ...(values['bad-release'].of !== '' && values.target === 'ecs'
      ? ['bad-release: it is a release on Kubernetes, and target is ecs']
      : []),
    ...(values['bad-release'].revisions.size > 0 && values.target === 'k8s'
      ? ['bad-release: it is a release on ECS, and target is k8s']
      : []),
  ],
}

const WORDS = ['previous', 'last-verified'] as const

function parseTo(raw: string): RollbackTarget {
  for (const word of WORDS) if (raw === word) return word
  if (/^[1-9]\d{0,8}$/.test(raw)) return Number(raw)
  const revision = /^(?:revision|[a-z]+\/[a-z0-9.-]+)=\S+$/.test(raw) ? raw.replace(/^revision=/, '') : undefined
  if (revision !== undefined) return { revision }
  const near = closest(raw, WORDS)
  if (near === undefined && /^\w[\w.-]{0,127}$/.test(raw)) return { tag: raw }
  throw new InputFault(
    `"${raw}" is neither previous, nor last-verified, nor a release number, a revision (revision=4, deployment/web=4) or a tag${near === undefined ? '' : `; did you mean ${near}?`}`,
  )
}

interface BadRelease {
  /** 0 for what is live. */
  readonly number: number
  /** `<namespace>/<app>` where an address was given. */
  readonly of: string
  /** `<family>:<revision>` by `ecs://<cluster>/<service>`, of every address that was given: several services are of one revision or of several. */
  readonly revisions: ReadonlyMap<string, string>
}

function parseBadRelease(raw: string): BadRelease {
  const none = new Map<string, string>()
  if (raw === '') return { number: 0, of: '', revisions: none }
  if (/^[1-9]\d{0,8}$/.test(raw)) return { number: Number(raw), of: '', revisions: none }
  const addresses = raw.split(/\s+/).map(parseReleaseAddress)
  const revisions = new Map(
    addresses.flatMap(address =>
      address.platform === 'ecs'
        ? [[`ecs://${address.cluster}/${address.service}`, `${address.family}:${address.revision}`] as const]
        : [],
    ),
  )
  const onKubernetes = addresses.find(address => address.platform === 'k8s')
  if (onKubernetes === undefined) return { number: 0, of: '', revisions }
  if (addresses.length > 1) throw new InputFault(`"${raw}" names more than one release`)
  return { number: onKubernetes.number, of: `${onKubernetes.namespace}/${onKubernetes.app}`, revisions }
}
