// What a program that we start is given of the step's environment.
import { expect, test } from '@jest/globals'
import { childEnvironment } from '../../src/image/command.ts'

const explicit = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.bareRepository', GIT_CONFIG_VALUE_0: 'explicit' }

test.each<[string, NodeJS.ProcessEnv, NodeJS.ProcessEnv]>([
  ['everything else', { PATH: '/bin', HOME: '/root' }, { PATH: '/bin', HOME: '/root', ...explicit }],
  ['no input', { INPUT_PASSWORD: 'x', 'INPUT_BUILD-ARGS': 'y' }, explicit],
  [
    "the user's own settings for git",
    { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'a.b', GIT_CONFIG_VALUE_0: 'c' },
    {
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'a.b',
      GIT_CONFIG_VALUE_0: 'c',
      GIT_CONFIG_KEY_1: 'safe.bareRepository',
      GIT_CONFIG_VALUE_1: 'explicit',
    },
  ],
  ['an empty count, which git takes for none', { GIT_CONFIG_COUNT: '' }, explicit],
  ['a count that is none, for git to complain of', { GIT_CONFIG_COUNT: 'x' }, { GIT_CONFIG_COUNT: 'x' }],
])('%s', (_, env, child) => {
  expect(childEnvironment(env)).toEqual(child)
})

test('what is given with it wins', () => {
  expect(childEnvironment({ LC_ALL: 'de' }, { LC_ALL: 'C' })).toMatchObject({ LC_ALL: 'C' })
})
