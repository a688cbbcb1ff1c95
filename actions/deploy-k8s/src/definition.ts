// The inputs and outputs of deploy-k8s.
import { parseImageEntry, parseSetImageEntry } from '../../../src/kubernetes/image-entries.ts'
import { parseNamespace } from '../../../src/kubernetes/namespace.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { foreignLine } from '../../../src/runner/foreign-text.ts'
import { boolean, choice, duration, InputFault, list, text } from '../../../src/runner/inputs.ts'

const inputs = {
  app: text(),
  namespace: text({ parse: parseNamespace }),
  kubeconfig: text(),
  context: text(),
  manifests: list(),
  'manifests-text': text(),
  values: list(),
  set: list({ each: parseSetEntry }),
  'set-string': list({ each: parseSetEntry }),
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

/** `key=value`, as `helm --set` takes it. Throws InputFault. */
function parseSetEntry(entry: string): string {
  if (/^[^=\s][^=]*=/.test(entry)) return entry
  throw new InputFault(`"${foreignLine(entry, 200)}" is not written key=value, such as image.tag=1.4.2`)
}

function hasNoManifests(values: { readonly manifests: readonly string[]; readonly 'manifests-text': string }): boolean {
  return values.manifests.length === 0 && values['manifests-text'] === ''
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
    ...(hasNoManifests(values) && values['set-image'].length === 0
      ? ['manifests: give manifests, manifests-text, set-image, or several of them']
      : []),
    ...(values.images.length > 0 && hasNoManifests(values)
      ? ['images: replaces images in manifests, and there are none; use set-image for what is live']
      : []),
    ...(values.prune && hasNoManifests(values) ? ['prune: goes by the manifests, and there are none'] : []),
    ...(['values', 'set', 'set-string'] as const)
      .filter(name => values[name].length > 0 && values.manifests.length === 0)
      .map(name => `${name}: is for the Helm charts in manifests, and there are none`),
    ...(values['stable-for'] >= values.timeout ? ['stable-for: must be shorter than timeout'] : []),
  ],
  notYet: ['steps', 'route'],
}
