// Entry point of smoke-test: the definition is read first, the work is loaded once the inputs are known to be right.
import { runAction } from '../../../src/runner/action.ts'
import { definition } from './definition.ts'

await runAction(definition, async (inputs, runner) => (await import('./smoke-test.ts')).smokeTest(inputs, runner))
