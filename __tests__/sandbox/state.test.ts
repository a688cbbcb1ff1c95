import { describe, expect, test } from '@jest/globals'
import { exportLines } from '../../sandbox/environment.ts'
import { parseMounts } from '../../sandbox/mounts.ts'
import { missingMessage } from '../../sandbox/packages.ts'
import { stateFolder } from '../../sandbox/state.ts'

describe('exportLines', () => {
  test.each([
    ['nothing', {}, '\n'],
    ['a value', { REGISTRY: '127.0.0.1:5000' }, "export REGISTRY='127.0.0.1:5000'\n"],
    ['a value with a quote and a dollar', { KUBECONFIG: "/it's/$HOME" }, "export KUBECONFIG='/it'\\''s/$HOME'\n"],
    ['folders go in front of PATH', { PATH_PREPEND: ['/a', '/b c'] }, 'export PATH=\'/a:/b c\':"$PATH"\n'],
  ])('%s', (_, environment, expected) => expect(exportLines(environment)).toBe(expected))
})

describe('parseMounts', () => {
  test.each([
    ['deepest first', '/dev/a /s/a ext4 rw 0 0\ntmpfs /s/a/b tmpfs rw 0 0\n', ['/s/a/b', '/s/a']],
    ['nothing outside of the folder, nor the folder itself', 'x / y rw 0 0\nx /s y rw 0 0\nx /sandbox/a y rw 0 0\n', []],
    ['a space in the name', 'x /s/a\\040b y rw 0 0\n', ['/s/a b']],
    ['no mounts', '', []],
  ])('%s', (_, mounts, expected) => expect(parseMounts(mounts, '/s')).toEqual(expected))
})

describe('missingMessage', () => {
  const missing = [
    { provides: 'containerd', package: 'containerd' },
    { provides: 'ctr', package: 'containerd' },
  ]
  test.each([
    ['not root', { root: false, apt: true }, /containerd, ctr missing, .*sudo apt-get install -y containerd$/],
    ['no apt', { root: true, apt: false }, /no apt-get here.*packages are named: containerd\)$/],
  ])('%s', (_, means, expected) => expect(missingMessage(missing, means)).toMatch(expected))
})

test.each([
  ['SANDBOX_DIR', { SANDBOX_DIR: '/x/y' }, /^\/x\/y$/],
  ['the folder for temporary files', {}, /\/deploy-actions-sandbox$/],
])('the state folder is in %s', (_, environment, expected) => expect(stateFolder(environment)).toMatch(expected))
