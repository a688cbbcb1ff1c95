// What is read and written byte by byte: event streams, and the two messages of gRPC's health check.
import { describe, expect, test } from '@jest/globals'
import { healthRequest, healthState } from '../../src/checks/kinds/grpc-step.ts'
import { createEventParser, type ServerEvent } from '../../src/checks/kinds/sse.ts'

function eventsOf(text: string, size: number): ServerEvent[] {
  const events: ServerEvent[] = []
  const parser = createEventParser(event => {
    events.push(event)
    return false
  })
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; from += size) parser.add(bytes.subarray(from, from + size))
  return events
}

describe('an event stream', () => {
  test.each<[what: string, text: string, events: readonly (readonly [name: string, data: string])[]]>([
    ['one event', 'data: a\n\n', [['message', 'a']]],
    ['its name', 'event: token\ndata: a\n\n', [['token', 'a']]],
    [
      'a name for one event only',
      'event: x\ndata: a\n\ndata: b\n\n',
      [
        ['x', 'a'],
        ['message', 'b'],
      ],
    ],
    ['several lines', 'data: a\ndata: b\n\n', [['message', 'a\nb']]],
    [
      'other ends of lines',
      'data: a\r\n\r\ndata: b\r\rdata: c\n\n',
      [
        ['message', 'a'],
        ['message', 'b'],
        ['message', 'c'],
      ],
    ],
    [
      'no space, and two',
      'data:a\n\ndata:  b\n\n',
      [
        ['message', 'a'],
        ['message', ' b'],
      ],
    ],
    ['comments, ids and what is not known', ': hi\nid: 1\nretry: 5\nx: y\ndata: a\n\n', [['message', 'a']]],
    ['no data, no event', 'event: x\n\n: ping\n\n', []],
    ['empty data', 'data\n\n', [['message', '']]],
    ['what is not ended', 'data: a\n', []],
    ['more than ASCII', 'data: ж€😀\n\n', [['message', 'ж€😀']]],
  ])('%s, however it is cut', (_, text, events) => {
    for (const size of [1, 2, 3, 1_000]) expect(eventsOf(text, size).map(({ name, data }) => [name, data])).toEqual(events)
  })
})

describe('the messages of grpc.health.v1', () => {
  test('the question', () => {
    expect([...healthRequest('')]).toEqual([0, 0, 0, 0, 0])
    expect([...healthRequest('ab')]).toEqual([0, 0, 0, 0, 4, 0x0a, 2, 97, 98])
    expect([...healthRequest('x'.repeat(200)).subarray(0, 8)]).toEqual([0, 0, 0, 0, 203, 0x0a, 0xc8, 0x01])
  })

  test.each([
    [[0, 0, 0, 0, 2, 8, 1], 'SERVING'],
    [[0, 0, 0, 0, 2, 8, 2], 'NOT_SERVING'],
    [[0, 0, 0, 0, 0], 'UNKNOWN'],
    [[0, 0, 0, 0, 2, 8, 9], 'a state that is not known'],
    [[0, 0, 0, 0, 9, 8, 1], 'no message of gRPC'],
    [[1, 0, 0, 0, 2, 8, 1], 'no message of gRPC'],
    [[], 'no message of gRPC'],
  ])('%j says %s', (bytes, state) => {
    expect(healthState(Buffer.from(bytes))).toBe(state)
  })
})
