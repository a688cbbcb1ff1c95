// An onlooker of its own, sharing no code with the actions: watches collections through its own kubectl proxy and notes when each
// change could be read. It only keeps the lines as they come; they are read after the run, so that looking on costs little.
import { type ChildProcess, spawn } from 'node:child_process'
import { get } from 'node:http'

export interface Change<T> {
  /** performance.now() of this process when the change had come. */
  readonly at: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: T
}

export interface Recording<T> {
  /** All changes since `from` (performance.now()). Throws when the watch has ended by itself. */
  changes(from?: number): Change<T>[]
}

export class Observer {
  readonly #proxy: ChildProcess
  readonly #address: string
  readonly #end = new AbortController()
  readonly #kill = (): void => void this.#proxy.kill('SIGKILL')

  private constructor(proxy: ChildProcess, address: string) {
    this.#proxy = proxy
    this.#address = address
    process.once('exit', this.#kill)
  }

  static start(env: Readonly<Record<string, string>>): Promise<Observer> {
    return new Promise((resolve, reject) => {
      const proxy = spawn('kubectl', ['proxy', '--port=0', '--address=127.0.0.1'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
      proxy.once('error', reject)
      proxy.once('exit', code => reject(new Error(`kubectl proxy ended with exit code ${code}`)))
      proxy.stdout.on('data', (text: Buffer) => {
        const address = /serve on (\S+)/.exec(text.toString())?.[1]
        if (address !== undefined) resolve(new Observer(proxy, `http://${address}`))
      })
    })
  }

  /** Resolves once the watch is open, from here on. With `onChange` every change is read and handed over as it comes. */
  async watch<T>(path: string, query = '', onChange?: (change: Change<T>) => void): Promise<Recording<T>> {
    const list = await this.request<{ metadata: { resourceVersion: string } }>('GET', `${path}?limit=1${query}`)
    const from = `watch=true&timeoutSeconds=3600&resourceVersion=${list.metadata.resourceVersion}`
    const { signal } = this.#end
    return new Promise((resolve, reject) => {
      const request = get(`${this.#address}${path}?${from}${query}`, { agent: false, signal }, response => {
        if (response.statusCode !== 200) return reject(new Error(`${path}: status ${response.statusCode}`))
        const pieces: { at: number; text: string }[] = []
        let ended = false
        response.setEncoding('utf8')
        response.on('data', (text: string) => {
          pieces.push({ at: performance.now(), text })
          if (onChange === undefined || !text.includes('\n')) return
          for (const change of readChanges<T>(pieces)) onChange(change)
          pieces.splice(0, pieces.length, { at: performance.now(), text: text.slice(text.lastIndexOf('\n') + 1) })
        })
        response.on('error', () => undefined)
        response.on('close', () => {
          ended = true
        })
        const changes = (from = 0): Change<T>[] => {
          if (ended) throw new Error(`the bench's watch of ${path} has ended`)
          return readChanges<T>(pieces).filter(change => change.at >= from)
        }
        resolve({ changes })
      })
      request.on('error', reject)
    })
  }

  async request<T>(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<T> {
    const response = await fetch(`${this.#address}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  stop(): void {
    this.#end.abort()
    this.#proxy.removeAllListeners('exit')
    process.off('exit', this.#kill)
    this.#kill()
  }
}

function readChanges<T>(pieces: readonly { at: number; text: string }[]): Change<T>[] {
  const changes: Change<T>[] = []
  let rest = ''
  for (const { at, text } of pieces) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) changes.push({ at, ...(JSON.parse(line) as Omit<Change<T>, 'at'>) })
  }
  return changes
}
