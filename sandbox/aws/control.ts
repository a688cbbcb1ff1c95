// The simulator's own calls, beside AWS's: whether it is up, the scenario, and what was asked of it. For tests that run it as a process.
import type { Calls } from './calls.ts'
import type { WireRequest, WireResponse } from './protocol/wire.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** Answers once the server is up. */
export const READY_PATH = '/sandbox/ready'

/** Undefined where the request is none of these. */
export function control(request: WireRequest, world: World, calls: Calls): WireResponse | undefined {
  const [path = '', query = ''] = request.path.split('?')
  if (!path.startsWith('/sandbox/')) return undefined
  const json = (body: unknown, status = 200): WireResponse => ({
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const change = (anew: boolean): WireResponse => {
    try {
      world.script(JSON.parse(request.body.toString()) as Scenario, anew)
      return json({})
    } catch (error) {
      return json({ message: error instanceof Error ? error.message : String(error) }, 422)
    }
  }
  switch (`${request.method} ${path}`) {
    case `GET ${READY_PATH}`:
      return json({ now: world.now() })
    case 'GET /sandbox/scenario':
      return json(world.scenario)
    case 'PUT /sandbox/scenario':
      return change(true)
    case 'PATCH /sandbox/scenario':
      return change(false)
    case 'GET /sandbox/calls': {
      const action = new URLSearchParams(query).get('action')
      return json(calls.list.filter(call => action === null || call.action === action))
    }
    case 'DELETE /sandbox/calls':
      calls.clear()
      return json({})
    default:
      return json({ message: `the simulator has no ${request.method} ${path}` }, 404)
  }
}
