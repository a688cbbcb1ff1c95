import type { Task } from '@aws-sdk/client-ecs'
import { describe, expect, test } from '@jest/globals'
import { judgeOneOff } from '../../../src/ecs/one-off-task.ts'

describe('of a task', () => {
  const definition = { family: 'web', containerDefinitions: [{ name: 'web' }, { name: 'proxy', essential: false }] }
  const judged = (task: Task): string => judgeOneOff(task, 'web', definition).phase
  test.each<[string, Task, string]>([
    ['that is on its way', { lastStatus: 'PENDING', containers: [{ name: 'web' }] }, 'waiting'],
    ['whose command ended with 0', { lastStatus: 'DEPROVISIONING', containers: [{ name: 'web', exitCode: 0 }] }, 'done'],
    ['whose side container ended with 1', { lastStatus: 'RUNNING', containers: [{ name: 'proxy', exitCode: 1 }] }, 'waiting'],
    [
      'whose command ended with 1, while another goes on',
      { lastStatus: 'RUNNING', containers: [{ name: 'web', exitCode: 1 }] },
      'failed',
    ],
    [
      'that somebody stopped, though with 0',
      { lastStatus: 'STOPPED', stopCode: 'UserInitiated', containers: [{ name: 'web', exitCode: 0 }] },
      'failed',
    ],
    ['that Spot took', { lastStatus: 'STOPPED', stopCode: 'SpotInterruption', containers: [{ name: 'web' }] }, 'failed'],
  ])('%s', (_, task, phase) => expect(judged(task)).toBe(phase))
})
