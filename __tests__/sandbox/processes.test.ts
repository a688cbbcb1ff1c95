// With real processes, for what matters is what the system does with them: each is `node` waiting for its end.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { identityOf } from '../../sandbox/identity.ts'
import { isRunning, type ProcessRecord, readRecord, records, remove, start, startAgain, stop } from '../../sandbox/processes.ts'
import { withLock } from '../../sandbox/state.ts'

const spec = { name: 'waiter', argv: [process.execPath, '-e', 'setInterval(() => {}, 1000)'] }
let folder = ''
const recordFile = (): string => join(folder, 'processes', 'waiter.json')
const pid = (): number => readRecord('waiter')?.identity?.pid ?? 0

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandbox-test-'))
  process.env['SANDBOX_DIR'] = folder
})

afterEach(async () => {
  await remove('waiter', 0)
  delete process.env['SANDBOX_DIR']
  rmSync(folder, { recursive: true, force: true })
})

test('what runs is kept; what is stopped can be started again', async () => {
  await start('test', spec)
  const first = pid()
  expect(isRunning('waiter')).toBe(true)
  await start('test', spec)
  expect(pid()).toBe(first)
  expect(await stop('waiter')).toBe(true)
  expect(identityOf(first)).toBeUndefined()
  expect(records().map(({ name, identity }) => [name, identity])).toEqual([['waiter', null]])
  expect(await stop('waiter')).toBe(false)
  await startAgain('test', 'waiter')
  expect(isRunning('waiter')).toBe(true)
})

test('a process that merely has the pid that was written down is left alone', async () => {
  await start('test', spec)
  const own = readFileSync(recordFile(), 'utf8')
  const record = JSON.parse(own) as ProcessRecord
  writeFileSync(recordFile(), JSON.stringify({ ...record, identity: { ...record.identity, startTime: '1' } }))
  expect(isRunning('waiter')).toBe(false)
  expect(await stop('waiter')).toBe(false)
  expect(identityOf(record.identity?.pid ?? 0)).toBeDefined()
  writeFileSync(recordFile(), own)
})

test('a program that is not there, or ends before it is ready, is told with the end of its log', async () => {
  await expect(start('test', { ...spec, argv: [join(folder, 'nothing')] })).rejects.toThrow(/waiter could not be started/)
  const argv = [process.execPath, '-e', 'console.error("port is taken"); process.exit(1)']
  await expect(start('test', { ...spec, argv, ready: { socket: join(folder, 's') } })).rejects.toThrow(/port is taken/)
})

test('a process nobody knows cannot be started', async () => {
  await expect(startAgain('test', 'etdc')).rejects.toThrow(/no process etdc here; known: none/)
})

test('the lock of a process that is gone is taken over', async () => {
  writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: process.pid, startTime: '1', bootId: 'x' }))
  expect(await withLock(async () => 'done')).toBe('done')
})
