// A pid alone says nothing: it is reused, and another boot's.
import { describe, expect, test } from '@jest/globals'
import { type Identity, identityOf, isAlive, isSame, parseStat } from '../../sandbox/identity.ts'

const tail = 'S 1 4711 4711 0 -1 4194560 100 0 0 0 5 3 0 0 20 0 9 0 123456 1000 200 18446744073709551615'

describe('parseStat', () => {
  test.each([
    ['a plain name', `4711 (etcd) ${tail}`, { state: 'S', startTime: '123456' }],
    ['a name with a space', `4711 (kube proxy) ${tail}`, { state: 'S', startTime: '123456' }],
    ['a name with parentheses and what looks like fields', `4711 (a) R 1 2 (b) ${tail}`, { state: 'S', startTime: '123456' }],
    ['a zombie', `4711 (etcd) ${tail.replace('S', 'Z')}`, { state: 'Z', startTime: '123456' }],
  ])('%s', (_, stat, expected) => expect(parseStat(stat)).toEqual(expected))

  test.each([
    ['nothing', ''],
    ['no name', '4711 etcd S 1'],
    ['cut short', '4711 (etcd) S 1 2 3'],
  ])('%s is no process', (_, stat) => expect(parseStat(stat)).toBeUndefined())
})

describe('isSame', () => {
  const recorded: Identity = { pid: 4711, startTime: '123456', bootId: 'a' }
  test.each([
    ['the process itself', { ...recorded }, true],
    ['its pid, reused later', { ...recorded, startTime: '999999' }, false],
    ['its pid and start time after a restart of the machine', { ...recorded, bootId: 'b' }, false],
    ['another pid', { ...recorded, pid: 4712 }, false],
    ['nothing there', undefined, false],
  ])('%s', (_, found, expected) => expect(isSame(recorded, found)).toBe(expected))
})

test('this process is alive; the same with another start time is not', () => {
  const own = identityOf(process.pid)
  expect(isAlive(own)).toBe(true)
  expect(own && isAlive({ ...own, startTime: '1' })).toBe(false)
  expect(isAlive(null)).toBe(false)
})
