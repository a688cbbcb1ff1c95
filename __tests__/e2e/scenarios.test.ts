// The list of scenarios, by deploy-k8s's built bundle against the real cluster: each release with the verdict, the reason and the culprit that must
// come of it, and with what must be live at the end. They run side by side (`maxConcurrency` of jest.e2e.config.js), the longest first.
// One alone: `-t 'bad: crashes at its start'`. SCENARIO_TABLE=path writes the table with the times, which are not asserted: a machine may be busy.
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { sandboxVariables } from '../../sandbox/index.ts'
import { type Connection, connect } from '../../src/kubernetes/connection.ts'
import { badBeforeTheChange } from './scenarios/bad-before-the-change.ts'
import { badInTheCluster } from './scenarios/bad-in-the-cluster.ts'
import { goodScenarios } from './scenarios/good.ts'
import { runScenario, type ScenarioRun } from './scenarios/run-scenario.ts'
import type { Failure, Scenario, Success } from './scenarios/scenario.ts'
import type { Inventory } from './scenarios/scenario-cluster.ts'
import { ScenarioTable } from './scenarios/scenario-table.ts'
import type { Fields } from './scenarios/workloads.ts'

const table = new ScenarioTable()
let connection: Connection

beforeAll(async () => {
  const log = { info: () => undefined, debug: () => undefined, mask: () => undefined }
  connection = await connect({ kubeconfig: '', context: '', env: sandboxVariables(), temporary: tmpdir(), log })
})

afterAll(async () => {
  await connection.close()
  const text = table.toString()
  process.stderr.write(`\n${text}\n`)
  const path = process.env['SCENARIO_TABLE'] ?? ''
  if (path !== '') writeFileSync(path, `${text}\n`)
})

const all = [...badInTheCluster, ...badBeforeTheChange, ...goodScenarios]
  .toSorted((a, b) => b.takes - a.takes)
  .map(scenario => ({ scenario, title: `${'fail' in scenario.must ? 'bad' : 'good'}: ${scenario.name}` }))

test.concurrent.each(all)('$title', async ({ scenario }) => {
  const run = await runScenario(scenario, connection.api)
  table.add(scenario, run)
  const { must } = scenario
  try {
    if ('fail' in must) expectFailure(run, must, scenario)
    else expectGood(run, must)
    expect(run.missed).toEqual([])
    expect(run.step.orphans).toEqual([])
    if (run.probed !== undefined) {
      expect(run.probed.failures).toEqual([])
      expect(run.probed.requests).toBeGreaterThan(10)
    }
  } catch (error) {
    process.stderr.write(`\n--- What deploy-k8s printed in "${scenario.name}":\n${run.step.output}\n`)
    throw error
  }
})

function expectFailure({ step, before, after, faults, served }: ScenarioRun, must: Failure, scenario: Scenario): void {
  const { result, reason, message = '' } = step.outputs
  const first = scenario.live === undefined
  expect({ result, reason, message }).toEqual({
    result: must.untouched || first ? 'failed' : 'rolled-back',
    reason: must.fail,
    message: expect.stringMatching(must.names),
  })
  expect(step.conclusion).toBe('failure')
  expect(message).not.toMatch(/^The timeout of /)
  const errors = step.annotations.filter(({ level }) => level === 'error')
  expect(errors.length).toBeGreaterThan(0)
  expect(after.meant).toEqual(withChanges(before, must.butFor ?? {}))
  expect(faults).toEqual([])
  if (must.untouched) {
    expect(message).toContain('othing was changed')
    expect({ touched: after.touched, records: after.records }).toEqual({ touched: before.touched, records: before.records })
  } else expect(Object.values(after.records)).toContain(first ? 'failed' : 'rolled-back')
  expect(Object.values(after.records)).not.toContain('pending')
  if (served !== undefined) expect(served).toBe('1')
}

function expectGood({ step, after, faults, served }: ScenarioRun, must: Success): void {
  const { result, reason, message } = step.outputs
  expect({ result, reason, message }).toEqual({ result: must.result ?? 'deployed', reason: '', message: expect.any(String) })
  expect(step.conclusion).toBe('success')
  expect(faults).toEqual([])
  expect(Object.values(after.records)).not.toContain('pending')
  expect(Object.keys(after.meant).filter(name => name.startsWith('lease/'))).toEqual([])
  if (served !== undefined) expect(served).toBe(must.result === 'unchanged' ? '1' : '2')
}

/** What was live before, with what people have changed in it meanwhile. */
function withChanges({ meant }: Inventory, changes: Readonly<Record<string, Fields>>): Inventory['meant'] {
  return {
    ...meant,
    ...Object.fromEntries(Object.entries(changes).map(([name, change]) => [name, merged(meant[name] ?? {}, change)])),
  }
}

function merged(into: Fields, change: Fields): Fields {
  const entries = Object.entries(change).map(([key, value]) => {
    const old = into[key]
    return [key, isFields(old) && isFields(value) ? merged(old, value) : value]
  })
  return { ...into, ...Object.fromEntries(entries) }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
