// A step of a release as a test writes it down: what it says nothing of is that of a new object which a manifest has.
import type { Step } from '../../src/kubernetes/steps.ts'

export function step(given: Partial<Step> & Pick<Step, 'body'>): Step {
  return {
    action: 'apply',
    live: undefined,
    before: undefined,
    desired: undefined,
    fieldManager: 'deploy-actions',
    keepReplicas: false,
    position: () => undefined,
    ...given,
  }
}
