import type { Task } from '@aws-sdk/client-ecs'
import { describe, expect, test } from '@jest/globals'
import type { AwsApi } from '../../src/ecs/api.ts'
import { readTasks } from '../../src/ecs/service-tasks.ts'

/** A service with so many tasks of each kind, and what was asked of it. */
function service(running: number, stopped: number) {
  const arns = (status: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${status}-${index}`)
  const all: Record<string, string[]> = { RUNNING: arns('RUNNING', running), STOPPED: arns('STOPPED', stopped) }
  const described: string[][] = []
  let lists = 0
  const call = async (_: string, operation: string, input: Record<string, unknown>): Promise<unknown> => {
    if (operation === 'ListTasks') {
      lists++
      const from = Number(input['nextToken'] ?? 0)
      const of = all[String(input['desiredStatus'])] ?? []
      return { taskArns: of.slice(from, from + 100), ...(from + 100 < of.length ? { nextToken: String(from + 100) } : {}) }
    }
    const tasks = input['tasks'] as string[]
    if (tasks.length > 100) throw new Error('Tasks cannot have more than 100 elements')
    described.push(tasks)
    return { tasks: tasks.map((taskArn): Task => ({ taskArn, lastStatus: taskArn.split('-')[0] ?? '' })) }
  }
  const api = { call } as unknown as Pick<AwsApi, 'call'>
  const known = new Map<string, Task>()
  const read = async (wantsRunning = true): Promise<boolean> => {
    described.length = 0
    lists = 0
    return readTasks(api, { cluster: 'app', service: 'web', running: wantsRunning }, known)
  }
  return { all, known, described, read, lists: () => lists }
}

describe('the tasks that are read', () => {
  test.each<[running: number, stopped: number, known: number, describes: number, lists: number, all: boolean]>([
    [0, 0, 0, 0, 2, true],
    [2, 1, 3, 1, 2, true],
    [100, 1, 101, 2, 2, true],
    [250, 130, 380, 4, 5, true],
    [1_000, 0, 1_000, 10, 11, true],
    [1_050, 1_300, 2_000, 20, 20, false],
  ])('%i that run and %i that have stopped', async (running, stopped, known, describes, lists, all) => {
    const web = service(running, stopped)
    expect(await web.read()).toBe(all)
    expect([web.known.size, web.described.length, web.lists()]).toEqual([known, describes, lists])
    if (stopped > 0) expect(web.described[0]?.[0]).toBe('STOPPED-0')
  })

  test('what has stopped is described once, what runs as far as one call has room', async () => {
    const web = service(250, 30)
    await web.read()
    await web.read()
    expect(web.described.map(tasks => tasks.length)).toEqual([100])
    web.all['STOPPED']?.push('STOPPED-new')
    web.all['RUNNING']?.push('RUNNING-new')
    await web.read()
    expect(web.described.map(tasks => tasks.slice(0, 3))).toEqual([['STOPPED-new', 'RUNNING-new', 'RUNNING-0']])
    expect(web.described[0]).toHaveLength(100)
  })

  test('what is there no more is forgotten, unless it has stopped', async () => {
    const web = service(2, 1)
    await web.read()
    web.all['RUNNING'] = ['RUNNING-1']
    web.all['STOPPED'] = []
    await web.read()
    expect([...web.known.keys()].sort()).toEqual(['RUNNING-1', 'STOPPED-0'])
    await web.read(false)
    expect([...web.known.keys()]).toEqual(['STOPPED-0'])
  })
})
