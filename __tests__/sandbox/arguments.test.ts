import { describe, expect, test } from '@jest/globals'
import { parseArguments, partNames } from '../../sandbox/arguments.ts'

describe('parseArguments', () => {
  test.each([
    ['', { command: 'help' }],
    ['up --help', { command: 'help' }],
    ['up', { command: 'up', parts: [...partNames] }],
    ['up registry cluster', { command: 'up', parts: ['cluster', 'registry'] }],
    ['up registry registry', { command: 'up', parts: ['registry'] }],
    ['down', { command: 'down', parts: [...partNames], purge: false }],
    ['down --purge', { command: 'down', parts: [...partNames], purge: true }],
    ['down builder', { command: 'down', parts: ['builder'], purge: false }],
    ['status', { command: 'status', as: 'table' }],
    ['status --env', { command: 'status', as: 'env' }],
    ['status --json', { command: 'status', as: 'json' }],
    ['stop kube-apiserver', { command: 'stop', process: 'kube-apiserver' }],
    ['start kube-apiserver', { command: 'start', process: 'kube-apiserver' }],
  ])('%s', (line, expected) => expect(parseArguments(line.split(' ').filter(Boolean))).toEqual(expected))

  test.each([
    ['restart', /unknown command restart/],
    ['up clutser', /unknown part clutser/],
    ['up --purge', /unknown option --purge/],
    ['down --purge cluster', /takes no parts/],
    ['status cluster', /--env or --json/],
    ['status --env --json', /--env or --json/],
    ['stop', /name of one process/],
    ['start etcd kubelet', /name of one process/],
  ])('%s is refused, with the usage', (line, fault) => {
    expect(() => parseArguments(line.split(' '))).toThrow(fault)
    expect(() => parseArguments(line.split(' '))).toThrow(/usage:/)
  })
})
