import { describe, expect, test } from '@jest/globals'
import { type BuilderFindings, chooseBuilder } from '../../sandbox/builder/ladder.ts'

/** A Linux machine with root, apt and Go, and nothing of Docker. */
const bare: BuilderFindings = {
  docker: false,
  linux: true,
  root: true,
  buildkitd: false,
  dockerd: false,
  installable: true,
  go: true,
}

describe('chooseBuilder', () => {
  test.each<[string, BuilderFindings, string]>([
    ['the Docker engine that answers', { ...bare, docker: true, buildkitd: true }, 'docker'],
    ['a Docker engine needs neither Linux nor root', { ...bare, docker: true, linux: false, root: false }, 'docker'],
    ['buildkitd at hand is there soonest', { ...bare, buildkitd: true, dockerd: true }, 'buildkit'],
    ['dockerd at hand', { ...bare, dockerd: true }, 'dockerd'],
    ['a package is there sooner than a build', bare, 'dockerd'],
    ['built, where no package can be had', { ...bare, installable: false }, 'buildkit'],
    ['what runs here already is kept', { ...bare, running: 'dockerd', docker: true, buildkitd: true }, 'dockerd'],
  ])('%s', (_, found, use) => expect(chooseBuilder(found)).toEqual({ use }))

  test.each<[string, BuilderFindings, RegExp]>([
    ['no Linux', { ...bare, linux: false }, /Start Docker .*brew/],
    ['no root', { ...bare, root: false }, /sudo -E/],
    ['nothing to be had', { ...bare, installable: false, go: false }, /Install Docker/],
  ])('%s: the message says what mends it', (_, found, message) => {
    const choice = chooseBuilder(found)
    expect(choice.use === 'none' && choice.message).toMatch(message)
  })
})
