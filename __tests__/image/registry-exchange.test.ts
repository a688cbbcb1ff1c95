import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { type Answer, exchange, type Request } from '../../src/image/registry-exchange.ts'

const servers: TcpServer[] = []
const sockets = new Set<Socket>()
afterEach(() => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function origin(server: TcpServer): Promise<string> {
  servers.push(server)
  server.on('connection', socket => void sockets.add(socket.on('close', () => sockets.delete(socket))))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Heard {
  readonly from: string
  readonly authorization: string | undefined
}

/** A server that leads `/to?<address>` there, with the status of `/<status>/to?<address>`, and answers everything else with what was asked. */
async function leading(name: string, heard: Heard[]): Promise<string> {
  return origin(
    createServer((request: IncomingMessage, response: ServerResponse) => {
      heard.push({ from: `${name} ${request.method} ${request.url}`, authorization: request.headers.authorization })
      const [, status, location] = /^\/(?:(\d+)\/)?to\?(.*)$/.exec(request.url ?? '') ?? []
      if (location === undefined) return void response.end(`here is ${request.url}`)
      response.writeHead(Number(status ?? 307), { location: decodeURIComponent(location) }).end()
    }),
  )
}

const ask = (url: string, more: Partial<Request> = {}, signal?: AbortSignal): Promise<Answer> =>
  exchange({ method: 'GET', url, headers: { authorization: 'Basic c2VjcmV0' }, ...more }, signal)

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])('of %i is followed', async status => {
    const here = await leading('here', [])
    expect((await ask(`${here}/${status}/to?/blob`)).body.toString()).toBe('here is /blob')
  })

  test('takes no credentials to another host, and keeps them on its own', async () => {
    const heard: Heard[] = []
    const [here, storage] = [await leading('here', heard), await leading('storage', heard)]
    const answer = await ask(`${here}/to?${encodeURIComponent(`/to?${storage}/blob`)}`)
    expect(answer.body.toString()).toBe('here is /blob')
    expect(heard.map(({ from, authorization }) => [from.split(' ')[0], authorization])).toEqual([
      ['here', 'Basic c2VjcmV0'],
      ['here', 'Basic c2VjcmV0'],
      ['storage', undefined],
    ])
  })

  test.each(['POST', 'PUT', 'DELETE'] as const)('of a %s is not followed', async method => {
    const heard: Heard[] = []
    const here = await leading('here', heard)
    expect(await ask(`${here}/to?/other`, { method })).toMatchObject({ status: 307, headers: { location: '/other' } })
    expect(heard).toHaveLength(1)
  })

  test.each([
    ['after redirect', `/to?${'/to?'.repeat(20)}`],
    ['to no address', '/to?http://['],
    ['to no web address', '/to?file:///etc/passwd'],
  ])('%s is an error', async (_, path) => {
    const heard: Heard[] = []
    const here = await leading('here', heard)
    await expect(ask(`${here}${path}`)).rejects.toMatchObject({ reason: 'Conflict', message: /leads nowhere/ })
    expect(heard.length).toBeLessThan(8)
  })
})

describe('a body', () => {
  test('is sent with its length', async () => {
    const server = createServer((request, response) => {
      request.resume()
      response.end(JSON.stringify([request.headers['content-length'], request.headers['transfer-encoding'] ?? null]))
    })
    const here = await origin(server)
    const said = async (method: Request['method'], body?: string): Promise<unknown> =>
      JSON.parse((await ask(here, { method, ...(body === undefined ? {} : { body }) })).body.toString())
    expect(await said('PUT', 'äb')).toEqual(['3', null])
    expect(await said('POST')).toEqual(['0', null])
  })

  test('is taken up to its limit', async () => {
    const here = await origin(createServer((_, response) => response.end('12345')))
    expect((await ask(here, { limit: 5 })).body.toString()).toBe('12345')
    await expect(ask(here, { limit: 4 })).rejects.toMatchObject({ reason: 'Conflict', message: /more than the 4 bytes/ })
  })

  test('that is cut short is an error', async () => {
    const here = await origin(
      createTcpServer(socket => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc').on('error', () => undefined)),
    )
    await expect(ask(here)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})

test.each([
  ['before an answer', ''],
  ['within a body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
])('a signal that is raised %s is what it ends with', async (_, begins) => {
  const stop = new AbortController()
  const reason = new Error('that is enough')
  const here = await origin(
    createTcpServer(socket => {
      socket.on('error', () => undefined).write(begins)
      setImmediate(() => stop.abort(reason))
    }),
  )
  await expect(ask(here, {}, stop.signal)).rejects.toBe(reason)
})

describe('a registry elsewhere', () => {
  const before = { ...process.env }
  afterEach(() => {
    process.env = { ...before }
  })

  /** A proxy that says so to each CONNECT, and the lines that it heard. */
  async function proxyThat(says: string): Promise<string[]> {
    const heard: string[] = []
    const address = await origin(
      createTcpServer(socket =>
        socket
          .on('error', () => undefined)
          .on('data', text => {
            heard.push(text.toString().split('\r\n')[0] ?? '')
            if (says.startsWith('HTTP/1.1 403')) socket.end(says)
            else socket.write(says)
          }),
      ),
    )
    // Without a scheme it is one of HTTP, as curl has it.
    Object.assign(process.env, { HTTPS_PROXY: address.replace('http://', ''), NO_PROXY: '' })
    return heard
  }

  test('is asked through the proxy that the environment names', async () => {
    const heard = await proxyThat('HTTP/1.1 403 Forbidden\r\n\r\n')
    await expect(ask('https://registry.test/v2/')).rejects.toThrow()
    expect(heard).toEqual(['CONNECT registry.test:443 HTTP/1.1'])
  })

  test('is asked directly where NO_PROXY excepts it, or its domain', async () => {
    const heard = await proxyThat('HTTP/1.1 403 Forbidden\r\n\r\n')
    process.env['NO_PROXY'] = 'other test'
    await expect(ask('https://registry.test/v2/')).rejects.toThrow()
    expect(heard).toEqual([])
  })

  test.each([
    ['says nothing', ''],
    ['leads nowhere', 'HTTP/1.1 200 OK\r\n\r\n'],
  ])('is given up when it is called off, behind a proxy that %s', async (_, says) => {
    const heard = await proxyThat(says)
    const stop = new AbortController()
    const reason = new Error('that is enough')
    const answer = ask('https://registry.test/v2/', {}, stop.signal)
    answer.catch(() => undefined)
    while (heard.length === 0) await new Promise(resolve => setImmediate(resolve))
    stop.abort(reason)
    await expect(answer).rejects.toBe(reason)
  })
})

test('an answer that is none ends the request', async () => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'
  const here = await origin(createTcpServer(socket => socket.on('error', () => undefined).write(switching)))
  await expect(ask(here)).rejects.toMatchObject({ code: 'ECONNRESET' })
})
