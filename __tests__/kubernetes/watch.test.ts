import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createApi } from '../../src/kubernetes/api.ts'
import { type Watch, watchList } from '../../src/kubernetes/watch.ts'
import { ManualClock, settle } from '../deploy/manual-clock.ts'
import { type Answer, FakeApiServer, FakeWatch, failure, hangUp, json, listOf, pod, proxyError, raw } from './fake-api-server.ts'

const PODS = '/api/v1/namespaces/shop/pods'

let server: FakeApiServer
let clock: ManualClock
let api: ReturnType<typeof createApi>
let stop: AbortController
let told: string[]

beforeEach(async () => {
  server = await FakeApiServer.start()
  clock = new ManualClock(Date.now())
  api = createApi({ socketPath: server.socketPath, clock })
  stop = new AbortController()
  told = []
})

afterEach(async () => {
  stop.abort()
  api.close()
  await server.stop()
})

function start(onEvent?: () => void): Promise<Watch> {
  return watchList({
    api,
    path: PODS,
    query: { labelSelector: 'app=web' },
    onObjects: objects => told.push(`all: ${objects.map(object => object.metadata.name).join(' ')}`),
    onEvent: (type, object) => {
      told.push(`${type} ${object.metadata.name}`)
      onEvent?.()
    },
    onTrouble: sentence => told.push(sentence),
    signal: stop.signal,
    clock,
  })
}

/** Lets the sockets work until it is so, and time pass if need be. */
async function until(condition: () => boolean, stepMs = 0): Promise<void> {
  for (let turn = 0; turn < 2_000 && !condition(); turn++) await (stepMs === 0 ? settle(1) : clock.advance(stepMs))
  if (!condition()) throw new Error(`never came: ${condition}; told ${told.join('; ')}`)
}

/** What was asked of the server: `list`, or `watch` from which version. */
function asked(): string[] {
  return server.seen.map(({ query }) => (query.get('watch') === 'true' ? `watch ${query.get('resourceVersion')}` : 'list'))
}

/** Watches from a list at version 10, with the first stream in hand. */
async function watching(onEvent?: () => void): Promise<{ first: FakeWatch; watch: Watch }> {
  const first = new FakeWatch()
  server.next(listOf('10', [pod('a', '3')]), first.answer)
  const watch = await start(onEvent)
  await server.requests(2)
  return { first, watch }
}

describe('list and watch', () => {
  test('the list first, then every change', async () => {
    const { first, watch } = await watching()
    expect(told).toEqual(['all: a'])
    first.send('ADDED', pod('b', '11'))
    first.send('MODIFIED', pod('a', '12'))
    first.send('DELETED', pod('b', '13'))
    await until(() => told.length === 4)
    expect(told).toEqual(['all: a', 'ADDED b', 'MODIFIED a', 'DELETED b'])
    const { query } = server.seen[1] ?? {}
    expect(query?.get('labelSelector')).toBe('app=web')
    expect(query?.get('allowWatchBookmarks')).toBe('true')
    expect(Number(query?.get('timeoutSeconds'))).toBeGreaterThanOrEqual(270)
    expect(Number(query?.get('timeoutSeconds'))).toBeLessThanOrEqual(310)
    stop.abort()
    await watch.done
    await settle()
    expect(clock.pending).toBe(0)
    expect(server.openConnections).toBeLessThanOrEqual(1)
  })

  test('an event cut into pieces within a character', async () => {
    const { first } = await watching()
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: pod('é😀', '11') })}\n`)
    for (const byte of bytes) first.write(Uint8Array.of(byte))
    await until(() => told.length === 2)
    expect(told[1]).toBe('ADDED é😀')
  })

  test('a big event', async () => {
    const { first } = await watching()
    first.send('ADDED', { ...pod('big', '11'), data: 'x'.repeat(3_000_000) })
    await until(() => told.length === 2)
    expect(told[1]).toBe('ADDED big')
  })

  test.each<[string, Answer, object]>([
    ['Forbidden', failure(403, 'Forbidden', 'no'), { status: 403 }],
    ['NotFound', failure(404, 'NotFound', 'no'), { status: 404 }],
  ])('a first list that is refused: %s', async (_, answer, expected) => {
    server.next(answer)
    await expect(start()).rejects.toMatchObject(expected)
  })

  test('the right to list without the right to watch is told at once', async () => {
    server.next(listOf('10', []), failure(403, 'Forbidden', 'User "bot" cannot watch resource "pods"'))
    const watch = await start()
    await expect(watch.done).rejects.toMatchObject({ status: 403, message: 'User "bot" cannot watch resource "pods"' })
  })

  test('a fault in a callback ends it with that fault', async () => {
    const { first, watch } = await watching(() => {
      throw new TypeError('a bug')
    })
    first.send('ADDED', pod('b', '11'))
    await expect(watch.done).rejects.toThrow('a bug')
    expect(clock.pending).toBe(0)
  })
})

describe('resuming', () => {
  test.each<[string, (stream: FakeWatch) => void]>([
    ['ended', stream => stream.end()],
    ['dropped', stream => stream.drop()],
    ['cut within an event', stream => stream.write('{"type":"ADDED","obj').drop()],
    ['ended within an event', stream => stream.write('{"type":"ADDED","obj').end()],
  ])('a stream that was %s goes on, at once, after the last event seen', async (_, finish) => {
    const { first } = await watching()
    first.send('ADDED', pod('b', '11'))
    await until(() => told.length === 2)
    const second = new FakeWatch()
    server.next(second.answer)
    finish(first)
    await until(() => server.seen.length === 3)
    second.send('ADDED', pod('c', '12'))
    await until(() => told.length === 3)
    expect(told).toEqual(['all: a', 'ADDED b', 'ADDED c'])
    expect(asked()).toEqual(['list', 'watch 10', 'watch 11'])
  })

  test('a bookmark moves the place to resume from, and is no event', async () => {
    const { first } = await watching()
    first.bookmark('500')
    await settle(20)
    server.next(new FakeWatch().answer)
    first.drop()
    await until(() => server.seen.length === 3)
    expect(asked()).toEqual(['list', 'watch 10', 'watch 500'])
    expect(told).toEqual(['all: a'])
  })

  test.each<[string, (stream: FakeWatch) => void, Answer[]]>([
    [
      'an ERROR event',
      stream => stream.send('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' }),
      [],
    ],
    ['the HTTP status', stream => stream.drop(), [failure(410, 'Expired', 'too old resource version')]],
  ])('410 Gone as %s: lists again and goes on from there', async (_, finish, answers) => {
    const { first } = await watching()
    const last = new FakeWatch()
    server.next(...answers, listOf('90', [pod('a', '80'), pod('z', '81')]), last.answer)
    finish(first)
    await until(() => asked().at(-1) === 'watch 90', 50)
    last.send('DELETED', pod('z', '91'))
    await until(() => told.length === 3)
    expect(told).toEqual(['all: a', 'all: a z', 'DELETED z'])
    expect(asked().filter(one => one === 'list')).toHaveLength(2)
  })

  test('another ERROR event resumes; when it keeps coming, all is listed again', async () => {
    const { first } = await watching()
    const error = `${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd' } })}\n`
    server.otherwise((response, seen) =>
      (seen.query.has('watch') ? raw(200, 'application/json', error) : listOf('20', [pod('y', '1')]))(response, seen),
    )
    first.drop()
    await until(() => told.includes('all: y'), 100)
    expect(asked().slice(0, 6)).toEqual(['list', 'watch 10', 'watch 10', 'watch 10', 'watch 10', 'watch 10'])
  })

  test('a line that is no event resumes as well', async () => {
    const { first } = await watching()
    const second = new FakeWatch()
    server.next(second.answer)
    first.write('<html>\n')
    await until(() => server.seen.length === 3)
    second.send('ADDED', pod('b', '11'))
    await until(() => told.length === 2)
  })

  test('429 waits as long as it is asked to', async () => {
    const { first } = await watching()
    server.next(failure(429, 'TooManyRequests', 'slow down', {}, { 'retry-after': '7' }), new FakeWatch().answer)
    first.drop()
    await until(() => server.seen.length === 3)
    await clock.advance(6_900)
    expect(server.seen).toHaveLength(3)
    await until(() => server.seen.length === 4, 100)
  })

  test('a silent stream is taken for dead after 90 s; a bookmark is a sign of life', async () => {
    const { first } = await watching()
    await clock.advance(80_000)
    first.bookmark('11')
    await settle(20)
    await clock.advance(80_000)
    expect(server.seen).toHaveLength(2)
    server.next(new FakeWatch().answer)
    await clock.advance(10_100)
    await until(() => server.seen.length === 3)
    expect(asked().at(-1)).toBe('watch 11')
    expect(told).toEqual(['all: a'])
  })

  test('a server that does not even answer is asked again after 20 s', async () => {
    const { first } = await watching()
    server.next(() => undefined, new FakeWatch().answer)
    first.drop()
    await until(() => server.seen.length === 3)
    await clock.advance(20_000)
    await until(() => server.seen.length === 4, 10)
  })
})

describe('trouble', () => {
  test('an API server away for 20 s: said once, and once when it is over; nothing is lost', async () => {
    const { first } = await watching()
    first.send('ADDED', pod('b', '11'))
    await until(() => told.length === 2)
    await server.goAway()
    for (let second = 0; second < 20; second++) await clock.advance(1_000)
    expect(told).toHaveLength(3)
    expect(told[2]).toMatch(/^The watch of \/api\/v1\/namespaces\/shop\/pods fails \(.+\); it is tried again until it works\.$/)
    const second = new FakeWatch()
    server.otherwise(second.answer)
    await server.listen()
    await until(() => asked().length === 3, 100)
    second.send('MODIFIED', pod('b', '12'))
    await until(() => told.length === 5)
    expect(told[3]).toMatch(/^The watch of .* works again after 2\d s\.$/)
    expect(told[4]).toBe('MODIFIED b')
    expect(asked()).toEqual(['list', 'watch 10', 'watch 11'])
  })

  test('a drop now and then is not worth a word', async () => {
    const streams = Array.from({ length: 6 }, () => new FakeWatch())
    server.next(listOf('10', []), ...streams.map(stream => stream.answer))
    await start()
    for (const [index, stream] of streams.slice(0, 5).entries()) {
      await until(() => server.seen.length === index + 2)
      await clock.advance(6_000)
      stream.drop()
      await until(() => server.seen.length === index + 3)
    }
    expect(told).toEqual(['all: '])
  })

  test.each<[string, Answer]>([
    ['that ends every stream at once', raw(200, 'application/json')],
    ['that hangs up', hangUp],
    ['that is not there', proxyError('dial tcp 10.0.0.1:6443: connect: connection refused')],
    ['in trouble', failure(503, 'ServiceUnavailable')],
  ])('a server %s is not asked more than it can bear', async (_, answer) => {
    const { first } = await watching()
    server.otherwise((response, seen) => (seen.query.has('watch') ? answer : listOf('10', []))(response, seen))
    first.drop()
    for (let tenth = 0; tenth < 600; tenth++) await clock.advance(100)
    expect(server.seen.length).toBeGreaterThan(20)
    expect(server.seen.length).toBeLessThan(80)
  })

  test('a refusal while the API server starts is lived through, a lasting one is not', async () => {
    const { first, watch } = await watching()
    const second = new FakeWatch()
    server.next(failure(403, 'Forbidden'), failure(401, 'Unauthorized'), second.answer)
    first.drop()
    await until(() => asked().length === 5, 100)
    second.send('ADDED', pod('b', '11'))
    await until(() => told.includes('ADDED b'))
    server.otherwise(failure(403, 'Forbidden', 'taken away'))
    second.drop()
    let fault: unknown
    watch.done.catch(error => {
      fault = error
    })
    await until(() => fault !== undefined, 500)
    expect(fault).toMatchObject({ status: 403, message: 'taken away' })
  })

  test.each([true, false])('a refusal after an outage counts from itself; watched before: %s', async watched => {
    const away = proxyError('dial tcp 10.0.0.1:6443: connect: connection refused')
    const [first, second] = [new FakeWatch(), new FakeWatch()]
    server.next(listOf('10', []), ...(watched ? [first.answer] : []))
    server.otherwise(away)
    const { done } = await start()
    if (watched) {
      await server.requests(2)
      first.drop()
    }
    for (let time = 0; time < 20; time++) await clock.advance(1_000)
    const soFar = server.seen.length
    const refusal = failure(403, 'Forbidden', 'not yet')
    server.next(refusal, away, refusal, refusal, second.answer)
    await Promise.race([until(() => server.seen.length === soFar + 5, 250), done])
    second.send('ADDED', pod('b', '11'))
    await until(() => told.includes('ADDED b'))
  })

  test('a cancel while waiting to try again', async () => {
    const { first, watch } = await watching()
    server.otherwise(json(503, {}))
    first.drop()
    await clock.advance(1_000)
    stop.abort()
    await watch.done
    expect(clock.pending).toBe(0)
  })
})
