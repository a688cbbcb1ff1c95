// A cancel: two signals, of whatever kind, raise the two stages one after the other.
import { EventEmitter } from 'node:events'
import { expect, test } from '@jest/globals'
import { listenForCancel } from '../../src/runner/signals.ts'

test.each<[string[], boolean, boolean]>([
  [[], false, false],
  [['SIGHUP'], false, false],
  [['SIGINT'], true, false],
  [['SIGTERM'], true, false],
  [['SIGINT', 'SIGTERM'], true, true],
  [['SIGINT', 'SIGINT'], true, true],
  [['SIGINT', 'SIGTERM', 'SIGTERM'], true, true],
])('%j: cancelled %p, ending %p', (signals, cancelled, ending) => {
  const process_ = new EventEmitter()
  const cancellation = listenForCancel(process_)
  for (const signal of signals) process_.emit(signal)
  expect([cancellation.cancelled.aborted, cancellation.ending.aborted]).toEqual([cancelled, ending])
})

test('after stop no signal is heard, and no listener is left', () => {
  const process_ = new EventEmitter()
  const cancellation = listenForCancel(process_)
  cancellation.stop()
  process_.emit('SIGINT')
  expect(cancellation.cancelled.aborted).toBe(false)
  expect(process_.eventNames()).toEqual([])
})
