import { expect, test } from '@jest/globals'
import { combine, type Judgement, type Verdict } from '../../src/deploy/verdict.ts'
import { failed, healthy, progressing } from './scripted-release.ts'

const web = { workload: 'deployment/web' }
const api = { workload: 'deployment/api' }

test.each<[what: string, workloads: readonly Judgement[], expected: Partial<Verdict>]>([
  ['no workloads: there is nothing to wait for', [], { phase: 'healthy', reason: '', message: 'nothing in it is waited for' }],
  [
    'all healthy',
    [healthy(web), healthy(api)],
    { phase: 'healthy', message: 'deployment/web 2/2 ready, deployment/api 2/2 ready' },
  ],
  ['one not yet', [healthy(web), progressing({ ...api, message: 'starting' })], { phase: 'progressing', message: 'starting' }],
  [
    'what is amiss is told before what merely takes its time',
    [progressing(web), progressing({ ...api, reason: 'ErrImagePull', message: 'no image', culprit: 'pod/a' })],
    { phase: 'progressing', reason: 'ErrImagePull', message: 'no image', culprit: 'pod/a' },
  ],
  [
    'one failed',
    [healthy(web), failed({ ...api, message: 'crash' })],
    { phase: 'failed', reason: 'CrashLoopBackOff', message: 'crash' },
  ],
  [
    'many failed: the first, and the names of three more',
    ['a', 'b', 'c', 'd', 'e'].map(name => failed({ workload: name, message: `${name} crashes` })),
    { phase: 'failed', message: 'a crashes (and 4 more: b, c, d)' },
  ],
  ['the earliest recheck counts', [progressing({ recheckAt: 9 }), progressing({ recheckAt: 5 }), healthy()], { recheckAt: 5 }],
  ['the latest proof counts', [healthy({ provenAt: 5 }), healthy({ provenAt: 9 }), healthy()], { phase: 'healthy', provenAt: 9 }],
])('%s', (_, workloads, expected) => {
  expect(combine(workloads)).toMatchObject({ ...expected, workloads })
})

test('a verdict with nothing to wait for names no time', () => {
  expect(combine([healthy()])).not.toHaveProperty('recheckAt')
  expect(combine([healthy()])).not.toHaveProperty('provenAt')
})
