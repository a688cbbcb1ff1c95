import { execFileSync } from 'node:child_process'
import { describe, expect, test } from '@jest/globals'
import { commandsToUndo, kubectlCommand, readRecord, shellWord } from '../../src/kubernetes/kubectl-commands.ts'
import type { Step } from '../../src/kubernetes/steps.ts'
import { object } from './memory-cluster.ts'

describe('a word for the shell', () => {
  test.each([
    'web',
    'a b',
    "it's",
    '$(reboot)',
    '`x`',
    'a\nb',
    '',
    '-n',
    '*',
    '~',
    'arn:aws:eks:eu-west-1:1:cluster/prod',
    'a"b\\c',
  ])('is read back as it was: %j', word => {
    expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' })).toBe(word)
  })
})

test.each([
  ['', '', 'kubectl get pods'],
  ['prod', 'shop', 'kubectl --context prod -n shop get pods'],
  ['my prod', '', "kubectl --context 'my prod' get pods"],
])('context %j and namespace %j', (context, namespace, command) => {
  expect(kubectlCommand(context, namespace, 'get', 'pods')).toBe(command)
})

describe('commands that undo a release', () => {
  const way = { context: 'prod', namespace: 'shop', secret: 'web.r3', hasObjects: true }
  const step = (kind: string, name: string, action: Step['action'], isNew: boolean): Step => ({
    action,
    body: object(kind, name),
    live: undefined,
    before: isNew ? undefined : object(kind, name),
    desired: undefined,
    fieldManager: 'x',
    keepReplicas: false,
    position: () => undefined,
  })
  const steps = [
    step('Deployment', 'web', 'apply', false),
    step('ConfigMap', 'gone', 'delete', false),
    step('Deployment', 'new', 'apply', true),
  ]

  test('replace what was changed, create what was deleted, delete what was created', () => {
    const commands = commandsToUndo(steps, way)
    expect(commands).toEqual([
      expect.stringMatching(
        /^kubectl --context prod -n shop get secret web\.r3 .*"Deployment\/shop\/web".*kubectl --context prod replace -f -$/,
      ),
      expect.stringMatching(/"ConfigMap\/shop\/gone".* create -f -$/),
      'kubectl --context prod -n shop delete deployment.apps/new --ignore-not-found',
    ])
  })

  test('without objects in the record only what was created can be taken away', () => {
    expect(commandsToUndo(steps, { ...way, hasObjects: false })).toEqual([expect.stringContaining(' delete ')])
    expect(readRecord([object('Pod', 'a')], 'after', '.', { ...way, hasObjects: false })).toEqual([])
  })
})
