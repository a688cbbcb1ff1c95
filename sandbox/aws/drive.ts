// Runs a test's clock for as long as something is waited for, over real connections: time may only move on while no request is on its way.
import { type ChannelListener, channel } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { held } from './held.ts'

interface Steppable {
  /** Runs to the next timer. False when there is none. */
  next(): Promise<boolean>
}

/** So many turns of the event loop without a settled promise, nothing being on its way: whoever has been answered has heard it, and asked on. */
const QUIET_TURNS = 8
/** Steps of the clock that nobody's wait is worth. */
const MOST_STEPS = 200_000

/** A request that has no answer by then waits for the clock, or for nothing. In ms of the machine. */
const LONGEST_MS = 20_000

/**
 * Requests of this process that have no whole answer yet. The simulator holds no answer back for its clock, so that each of them ends by itself; those that it
 * was told to let hang wait for the clock of who asks.
 */
const requests = new Set<ClientRequest>()
const open = (): number => [...requests].filter(({ socket }) => !held.has(socket?.localPort ?? 0)).length
const started: ChannelListener = message => {
  const { request } = message as { request: ClientRequest }
  requests.add(request)
  request.once('close', () => requests.delete(request))
}

/** Node.js's channel outlives the modules of a test file: who listened for the file before would go on, and all that it holds would stay. */
const LISTENER = Symbol.for('deploy-actions.drive')
const starts = channel('http.client.request.start') as ReturnType<typeof channel> & { [LISTENER]?: ChannelListener }
if (starts[LISTENER] !== undefined) starts.unsubscribe(starts[LISTENER])
starts[LISTENER] = started
starts.subscribe(started)

/** The SDK looks for its configuration, and may look names up. */
const readsFiles = (): boolean => process.getActiveResourcesInfo().some(resource => /Req/.test(resource))

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const machineTime = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1))

/** Steps the clock, one timer at a time, until `work` settles, and answers what it answers. */
export async function drive<T>(clock: Steppable, work: Promise<T>): Promise<T> {
  let settled = false
  const done = (): void => {
    settled = true
  }
  work.then(done, done)
  for (let step = 0; ; step++) {
    const since = performance.now()
    do {
      for (let quiet = 0; quiet < QUIET_TURNS && !settled; quiet = open() > 0 ? 0 : quiet + 1) {
        await turn()
        if (performance.now() - since > LONGEST_MS) throw new Error(`${open()} requests are on their way still`)
      }
    } while (!settled && readsFiles())
    if (settled) break
    if (step > MOST_STEPS) throw new Error(`nothing came of it after ${MOST_STEPS} steps of the clock`)
    // With no timer at all it is the machine's own work that is waited for.
    if (!(await clock.next())) await machineTime()
  }
  return work
}
