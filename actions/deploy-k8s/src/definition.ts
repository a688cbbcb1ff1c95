// The inputs and outputs of deploy-k8s.
import { parseImageEntry, parseSetImageEntry } from '../../../src/kubernetes/image-entries.ts'
import { parseNamespace } from '../../../src/kubernetes/namespace.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { boolean, choice, duration, list, text } from '../../../src/runner/inputs.ts'

const inputs = {
  app: text(),
  namespace: text({ parse: parseNamespace }),
  kubeconfig: text(),
  context: text(),
  manifests: list(),
  images: list({ each: parseImageEntry }),
  'set-image': list({ each: parseSetImageEntry }),
  strategy: choice(['rolling'], { default: 'rolling' }),
  timeout: duration({ default: '10m', atLeast: '1s' }),
  'stable-for': duration({ default: '10s' }),
  'on-failure': choice(['rollback', 'keep'], { default: 'rollback' }),
  checks: text(),
  'on-inconclusive': choice(['fail', 'warn'], { default: 'fail' }),
  preflight: choice(['on', 'warn', 'off'], { default: 'on' }),
  'preflight-wait': duration({ default: '15s' }),
  'pin-digests': boolean({ default: 'true' }),
  prune: boolean({ default: 'false' }),
  'first-deploy': choice(['allow', 'fail'], { default: 'allow' }),
  'dry-run': boolean({ default: 'false' }),
  'lock-timeout': duration({ default: '0s' }),
}

export type DeployOutput =
  | 'result'
  | 'reason'
  | 'message'
  | 'release'
  | 'previous-release'
  | 'revision'
  | 'digests'
  | 'diff'
  | 'summary'

export const definition: ActionDefinition<typeof inputs, DeployOutput> = {
  name: 'deploy-k8s',
  inputs,
  outputs: ['result', 'reason', 'message', 'release', 'previous-release', 'revision', 'digests', 'diff', 'summary'],
  check: values => [
    ...(values.manifests.length === 0 && values['set-image'].length === 0
      ? ['manifests: give manifests, set-image, or both']
      : []),
    ...(values.images.length > 0 && values.manifests.length === 0
      ? ['images: replaces images in manifests, and there are none; use set-image for what is live']
      : []),
    ...(values.prune && values.manifests.length === 0 ? ['prune: goes by the manifests, and there are none'] : []),
    ...(values['stable-for'] >= values.timeout ? ['stable-for: must be shorter than timeout'] : []),
  ],
}
