import { describe, expect, test } from '@jest/globals'
import { type ClusterFindings, chooseCluster } from '../../sandbox/cluster/ladder.ts'

/** A Linux machine with root, Go and packages, and nothing of Docker. */
const bare: ClusterFindings = {
  kubeconfig: 'none',
  kubectl: true,
  docker: false,
  kind: false,
  linux: true,
  root: true,
  local: false,
  hyperkube: false,
  go: true,
  packages: true,
}
const mac: ClusterFindings = { ...bare, linux: false, root: false, packages: false }

describe('chooseCluster', () => {
  test.each<[string, ClusterFindings, string]>([
    [
      'a KUBECONFIG that answers comes first',
      { ...bare, kubeconfig: 'reachable', docker: true, kind: true, local: true },
      'given',
    ],
    ['kind, where Docker and kind are there', { ...bare, docker: true, kind: true }, 'kind'],
    ['kind on a Mac', { ...mac, docker: true, kind: true }, 'kind'],
    ['kind without root', { ...bare, root: false, docker: true, kind: true }, 'kind'],
    ['kind without Docker is none', { ...bare, kind: true }, 'local'],
    ['Docker without kind is none', { ...bare, docker: true }, 'local'],
    ['built from Go modules', bare, 'local'],
    ['our own cluster brings its kubectl', { ...bare, kubectl: false }, 'local'],
    ['a prebuilt binary needs no Go', { ...bare, hyperkube: true, go: false }, 'local'],
    ['what was made here before is kept', { ...bare, local: true, docker: true, kind: true }, 'local'],
  ])('%s', (_, found, use) => expect(chooseCluster(found)).toEqual({ use }))

  test.each<[string, ClusterFindings, RegExp]>([
    ['a KUBECONFIG that does not answer is not passed over', { ...bare, kubeconfig: 'unreachable' }, /unset KUBECONFIG/],
    ['a KUBECONFIG and no kubectl', { ...bare, kubeconfig: 'unreachable', kubectl: false }, /kubectl is missing/],
    ['kind and no kubectl', { ...bare, docker: true, kind: true, kubectl: false }, /kubectl is missing/],
    ['a Mac without Docker', mac, /brew install --cask docker && brew install kind/],
    ['a Mac with Docker only', { ...mac, docker: true }, /brew install kind/],
    ['no root', { ...bare, root: false }, /sudo -E npm run sandbox -- up/],
    ['no Go', { ...bare, go: false }, /Install Go .* HYPERKUBE/],
    ['no packages', { ...bare, packages: false }, /packages that are missing/],
  ])('%s: the message says what mends it', (_, found, message) => {
    const choice = chooseCluster(found)
    expect(choice.use).toBe('none')
    expect(choice.use === 'none' && choice.message).toMatch(message)
  })
})
