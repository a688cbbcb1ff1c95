// A check file as the check of a deployment: at its stages and of what is up, each time asked anew, and of no more once nobody waits for it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { checkOfRelease } from '../../src/checks/check-release.ts'
import type { Check } from '../../src/deploy/check.ts'
import { systemClock } from '../../src/deploy/clock.ts'
import { createLog } from '../../src/runner/log.ts'
import { workspace } from './smoke/run-file.ts'
import { closeAll, http } from './smoke/servers.ts'

const FILE = 'release-checks.yml'
let asked = 0
let up = true
let check: Check

beforeAll(async () => {
  const port = await http((_request, response) => {
    asked++
    response.writeHead(up ? 200 : 503).end()
  })
  const text = `smoke:\n  base-url: http://127.0.0.1:${port}\n  steps:\n    - get: /health\n      timeout: 1m\n      interval: 20ms\n`
  writeFileSync(join(workspace(), FILE), text)
  const { signal } = new AbortController()
  const clock = systemClock
  const log = createLog(() => undefined)
  check = await checkOfRelease(FILE, {
    ...{ workspace: workspace(), temporary: workspace(), env: {}, log, clock, signal, ending: signal },
  })
})
afterAll(closeAll)

test('each stage is asked anew, and so is what is up in the end', async () => {
  const { signal } = new AbortController()
  for (const stage of ['FIRST', 'SECOND']) {
    const checked = await check('new', { stage, signal })
    expect(checked).toMatchObject({ result: 'passed', summary: expect.stringMatching(`^At \`${stage}\`:`) })
  }
  expect(await check('new')).toMatchObject({ result: 'passed', summary: expect.stringMatching(/^### .* Checks: passed/) })
  expect(asked).toBe(3)
})

test('what nobody waits for any more ends', async () => {
  up = false
  const over = new AbortController()
  const checked = check('new', { stage: 'FIRST', signal: over.signal })
  over.abort()
  expect(await checked).toMatchObject({ result: 'cancelled' })
})
