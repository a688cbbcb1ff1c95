// Entry point of deploy-ecs, for its main and its post step: the work is loaded once the inputs are known to be right.
import { isPostStep, runAction, runPost } from '../../../src/runner/action.ts'
import { definition } from './definition.ts'

if (isPostStep())
  await runPost(definition.name, async runner => (await import('../../../src/ecs/finish-release.ts')).finishRelease(runner))
else await runAction(definition, async (inputs, runner) => (await import('./deploy.ts')).deployToEcs(inputs, runner))
