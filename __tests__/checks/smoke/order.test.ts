// Who waits for whom, what is skipped, what all of it comes to, and that nothing runs past its time.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseCheckFile } from '../../../src/checks/check-file/read.ts'
import { planSteps } from '../../../src/checks/smoke/plan.ts'
import { runFile } from './run-file.ts'
import { closeAll, http } from './servers.ts'

let port = 0
let open = 0
let most = 0
const order: string[] = []
beforeAll(async () => {
  port = await http((request, response) => {
    order.push(request.url ?? '')
    most = Math.max(most, ++open)
    response.on('close', () => open--)
    if (request.url === '/hangs') return
    if (request.url === '/bad') response.writeHead(500).end('{"id":1}')
    else if (request.url === '/together') setTimeout(() => response.end(), 50)
    else response.end('{"id":1}')
  })
})
afterAll(closeAll)

const file = (steps: string, more = ''): string =>
  `smoke:\n  base-url: http://127.0.0.1:${port}\n${more}  steps:\n${steps.trim().replace(/^/gm, '    ')}\n`
const planned = (steps: string): string[] => {
  const { smoke } = parseCheckFile(file(steps), 'c.yml', {}).content
  const plan = planSteps(smoke?.steps ?? [])
  if ('faults' in plan) return plan.faults.map(fault => `${fault.path.slice(2).join('.')}: ${fault.message}`)
  return plan.steps.map(step => `${step.name} <- ${step.needs.map(need => plan.steps[need]?.name).join(', ')}`)
}

describe('a plan', () => {
  test.each<[what: string, steps: string, plan: readonly string[]]>([
    ['steps alone', '- get: /a\n- tcp: "db:1"', ['GET /a <- ', 'tcp db:1 <- ']],
    ['the same twice', '- get: /a\n- get: /a', ['GET /a <- ', 'GET /a (2) <- ']],
    [
      'needs',
      '- {name: a, get: /a}\n- {name: b, get: /b, needs: a}\n- {name: c, get: /c, needs: [a, b]}',
      ['a <- ', 'b <- a', 'c <- a, b'],
    ],
    ['captures', '- {name: use, get: "/${id}"}\n- {name: make, post: /, capture: {id: .id}}', ['use <- make', 'make <- ']],
    [
      'a group',
      '- {name: first, get: /}\n- {name: flow, needs: first, steps: [{get: /a}, {name: in, get: /b}]}\n- {name: last, get: /z, needs: flow}',
      ['first <- ', 'flow: GET /a <- first', 'in <- flow: GET /a', 'last <- in'],
    ],
    [
      'a name that is none',
      '- {name: ready, get: /}\n- {get: /, needs: raedy}',
      ['1.needs: "raedy" is no step; did you mean "ready"?'],
    ],
    ['itself', '- {name: a, get: /, needs: a}', ['0.needs: "a" is the step itself']],
    ['a name twice', '- {name: a, get: /}\n- {name: a, get: /}', ['1.name: "a" is the name of another step already']],
    [
      'a capture twice',
      '- {post: /a, capture: {x: .id}}\n- {post: /b, capture: {x: .id}}',
      ['1.capture.x: x is captured by another step already'],
    ],
    [
      'a circle',
      '- {name: a, get: /, needs: b}\n- {name: b, get: /, needs: a}',
      ['0: waits for itself: a, which needs b, which needs a'],
    ],
    ['its own capture', '- {post: "/${x}", capture: {x: .id}}', ['0: uses a value that it captures itself']],
  ])('%s', (_, steps, plan) => {
    expect(planned(steps)).toEqual(plan)
  })
})

describe('a run', () => {
  test('what needs a step that has not passed is skipped, and said why', async () => {
    const ran = await runFile(
      file(
        '- {name: a, get: /bad, failure-limit: 0}\n- {name: b, get: /, needs: a}\n- {name: c, get: /, needs: b}\n- {name: d, get: /}',
        '  fail-fast: false\n',
      ),
    )
    expect(ran.told).toEqual(['a: failed WrongStatus', 'b: skipped', 'c: skipped', 'd: passed'])
    expect(ran.outcome).toMatchObject({ result: 'failed', reason: 'WrongStatus', passed: 1, failed: 1 })
    expect(ran.outcome.summary).toContain('⏭ skipped')
  })

  test('a group ends with the first step that does not pass', async () => {
    const ran = await runFile(file('- {name: flow, steps: [{name: a, get: /bad, failure-limit: 0}, {name: b, get: /}]}'))
    expect(ran.told).toEqual(['a: failed WrongStatus', 'b: skipped'])
  })

  test('a failure decides it: nothing more is waited for', async () => {
    const ran = await runFile(file('- {name: slow, get: /hangs, timeout: 60s}\n- {name: bad, get: /bad, failure-limit: 0}'), {
      usual: { timeoutMs: 60_000 },
    })
    expect(ran.told).toEqual(['slow: unfinished', 'bad: failed WrongStatus'])
    expect(ran.outcome.message).toMatch(/^Of 2 checks "bad" failed: GET .*came 500/)
  })

  test('independent steps run at once, as many as may', async () => {
    const steps = Array.from({ length: 12 }, () => '- get: /together').join('\n')
    most = 0
    await runFile(file(steps))
    expect(most).toBe(12)
    most = 0
    await runFile(file(steps, '  parallel: 3\n'))
    expect(most).toBe(3)
  })

  test.each<[what: string, steps: string, more: string, told: readonly string[], result: string]>([
    [
      'the whole',
      '- {name: a, get: /hangs}\n- {name: b, get: /, needs: a}',
      '  timeout: 300ms\n',
      ['a: failed NoAnswer', 'b: skipped'],
      'failed',
    ],
    ['a step', '- {name: a, get: /hangs, timeout: 200ms}', '  timeout: 60s\n', ['a: failed NoAnswer'], 'failed'],
    [
      'a try',
      '- {name: a, get: /hangs, request-timeout: 100ms, failure-limit: 0}',
      '  timeout: 60s\n',
      ['a: failed NoAnswer'],
      'failed',
    ],
    [
      'one of many requests',
      '- {name: a, get: /hangs, repeat: {requests: 2, parallel: 2}, request-timeout: 100ms}',
      '  timeout: 60s\n',
      ['a: failed NoAnswer'],
      'failed',
    ],
    [
      'a group',
      '- {name: g, timeout: 300ms, steps: [{name: a, get: /}, {name: b, get: /hangs}]}',
      '  timeout: 60s\n',
      ['a: passed', 'b: failed NoAnswer'],
      'failed',
    ],
  ])('%s has a time, and no check runs past it', async (_, steps, more, told, result) => {
    const ran = await runFile(file(steps, more))
    expect(ran.told).toEqual(told)
    expect(ran.outcome.result).toBe(result)
    expect(ran.run.elapsedMs).toBeLessThan(10_000)
  })

  test('some passed, one could not be told: inconclusive', async () => {
    const ran = await runFile(
      file(
        '- {name: a, get: /}\n- {name: b, tcp: "127.0.0.1:1", timeout: 100ms, on-unreachable: inconclusive}\n- {name: c, get: /, needs: b}',
      ),
    )
    expect(ran.told).toEqual(['a: passed', 'b: inconclusive Unreachable', 'c: skipped'])
    expect(ran.outcome).toMatchObject({ result: 'inconclusive', reason: 'Unreachable' })
  })

  test('cancelled while it is under way', async () => {
    const controller = new AbortController()
    const running = runFile(file('- {name: a, get: /hangs, timeout: 60s}'), { signal: controller.signal })
    setTimeout(() => controller.abort(), 100)
    const ran = await running
    expect(ran.outcome).toMatchObject({ result: 'cancelled', reason: 'Cancelled' })
  })

  test('after a release was put back its version is the one that must not answer', async () => {
    const steps = '- {get: /, version: {expected: "1", from: .id}, consecutive: 2, failure-limit: 0}'
    expect((await runFile(file(steps))).outcome.result).toBe('passed')
    expect((await runFile(file(steps), { restored: true })).outcome).toMatchObject({ result: 'failed', reason: 'WrongVersion' })
    expect((await runFile(file(steps.replace('"1"', '"2"')), { restored: true })).outcome.result).toBe('passed')
  })
})
