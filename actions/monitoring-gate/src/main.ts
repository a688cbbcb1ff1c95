// Entry point of monitoring-gate: the definition is read first, the work is loaded once the inputs are known to be right.
import { runAction } from '../../../src/runner/action.ts'
import { definition } from './definition.ts'

await runAction(definition, async (inputs, runner) => (await import('./monitoring-gate.ts')).monitoringGate(inputs, runner))
