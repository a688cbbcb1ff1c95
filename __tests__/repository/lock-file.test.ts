// Which builds for other platforms a lock file lacks.
import { expect, test } from '@jest/globals'
import { missingEntries } from '../../scripts/complete-lock.ts'

test.each([
  ['@x/cli-darwin-arm64', { os: ['darwin'], cpu: ['arm64'] }],
  ['@x/cli-win32-x64-msvc', { os: ['win32'], cpu: ['x64'] }],
  ['@x/cli-linux-x64', { os: ['linux'], cpu: ['x64'] }],
  ['@x/cli-linux-x64-gnu', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }],
  ['@x/cli-linux-arm64-musl', { os: ['linux'], cpu: ['arm64'], libc: ['musl'] }],
  ['@x/cli-linux-arm-gnueabihf', { os: ['linux'], cpu: ['arm'], libc: ['glibc'] }],
])('%s is added as %j', (name, platform) => {
  const owner = { dev: true, optionalDependencies: { [name]: '^2.6.8' } }
  expect(missingEntries({ 'node_modules/x': owner })).toEqual({
    [`node_modules/${name}`]: { version: '2.6.8', dev: true, optional: true, ...platform },
  })
})

test.each([
  ['there already', 'x-linux-x64', 'node_modules/x-linux-x64'],
  ['there within its owner', 'x-linux-x64', 'node_modules/x/node_modules/x-linux-x64'],
  ['for no platform', 'fsevents', 'node_modules/y'],
])('what is %s is not added', (_, name, there) => {
  const packages = { 'node_modules/x': { optionalDependencies: { [name]: '1.0.0' } }, [there]: { version: '1.0.0' } }
  expect(missingEntries(packages)).toEqual({})
})
