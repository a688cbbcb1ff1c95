// Entry point of deploy-k8s, for its main and its post step: the work is loaded once the inputs are known to be right.
import { isPostStep, runAction, runPost } from '../../../src/runner/action.ts'
import { definition } from './definition.ts'

if (isPostStep())
  await runPost(definition.name, async runner =>
    (await import('../../../src/kubernetes/finish-release.ts')).finishRelease(runner),
  )
else
  await runAction(definition, async (inputs, runner) => {
    const { openConnection } = await import('../../../src/kubernetes/connection.ts')
    const { kubeconfig, context } = inputs
    const { env, temporary, log, cancelled: signal } = runner
    // kubectl takes longer to start than all the rest takes to load.
    const connecting = openConnection({ kubeconfig, context, env, temporary, log, signal })
    connecting.catch(() => undefined)
    return (await import('./deploy.ts')).deployToKubernetes(inputs, runner, connecting)
  })
