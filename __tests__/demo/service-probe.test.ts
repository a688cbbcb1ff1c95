import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { type Answer, ask, createTally, readAnswer } from '../../demo/service-probe.ts'

const v1: Answer = { kind: 'answered', version: '1.0.0' }
const v2: Answer = { kind: 'answered', version: '2.0.0' }
const failed: Answer = { kind: 'failed', why: 'ECONNREFUSED' }

describe('the tally', () => {
  test('counts by second and version', () => {
    const tally = createTally()
    tally.add(0, 5, v1)
    tally.add(999, 7, v2)
    tally.add(2_000, 1_200, failed)
    tally.add(2_050, 3, v2)
    tally.add(3_100, 4, failed)
    expect(tally.result()).toEqual({
      requests: 5,
      failures: 2,
      kept: [
        { at: 2, why: 'ECONNREFUSED' },
        { at: 3.1, why: 'ECONNREFUSED' },
      ],
      silentSeconds: 1,
      slowestMs: 1_200,
      seconds: [
        {
          versions: new Map([
            ['1.0.0', 1],
            ['2.0.0', 1],
          ]),
          failed: 0,
        },
        { versions: new Map(), failed: 0 },
        { versions: new Map([['2.0.0', 1]]), failed: 1 },
        { versions: new Map(), failed: 1 },
      ],
    })
  })

  test('keeps only the first failures', () => {
    const tally = createTally()
    for (let at = 0; at < 100; at++) tally.add(at, 1, failed)
    expect(tally.result().kept).toHaveLength(20)
  })
})

test.each<[number, string, Answer]>([
  [200, '{"version":"1.0.0"}', v1],
  [200, `{"version":"${'9'.repeat(50)}"}`, { kind: 'answered', version: '9'.repeat(20) }],
  [200, '{"version":1}', { kind: 'failed', why: 'an answer that names no version' }],
  [200, 'null', { kind: 'failed', why: 'an answer that names no version' }],
  [200, '<html>', { kind: 'failed', why: 'an answer that names no version' }],
  [503, '{"version":"1.0.0"}', { kind: 'failed', why: 'status 503' }],
])('%p %p is %p', (status, body, answer) => {
  expect(readAnswer(status, body)).toEqual(answer)
})

describe('a request', () => {
  async function asking(listener: RequestListener): Promise<Answer> {
    const server = createServer(listener)
    await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
    try {
      return await ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  test.each<[string, RequestListener, Answer]>([
    ['an answer', (_, response) => response.end('{"version":"1.0.0"}'), v1],
    ['a reset', request => request.socket.destroy(), { kind: 'failed', why: 'ECONNRESET' }],
    [
      'half an answer',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('{"version":', () => response.destroy())
      },
      { kind: 'failed', why: 'aborted' },
    ],
  ])('ends with %s', async (_, listener, answer) => {
    expect(await asking(listener)).toEqual(answer)
  })

  test('nobody there is a failure', async () => {
    expect(await ask('http://127.0.0.1:1/')).toEqual({ kind: 'failed', why: 'ECONNREFUSED' })
  })
})
