// Entry point of rollback, for its main and its post step: the work is loaded once the inputs are known to be right.
import { isPostStep, runAction, runPost } from '../../../src/runner/action.ts'
import { definition } from './definition.ts'

if (isPostStep())
  await runPost(definition.name, async runner => {
    const onEcs = runner.env['STATE_release']?.startsWith('ecs://') === true
    const { finishRelease } = onEcs
      ? await import('../../../src/ecs/finish-release.ts')
      : await import('../../../src/kubernetes/finish-release.ts')
    return finishRelease(runner)
  })
else
  await runAction(definition, async (inputs, runner) =>
    inputs.target === 'ecs'
      ? (await import('./rollback-ecs.ts')).rollbackOnEcs(inputs, runner)
      : (await import('./rollback.ts')).rollback(inputs, runner),
  )
