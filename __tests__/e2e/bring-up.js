// Before the first end-to-end test: every action is built, and the sandbox is up. It stays up afterwards: the next run starts at once.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

/** The newest change below a folder, in milliseconds of the epoch. */
function newest(folder) {
  return Math.max(
    0,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  )
}

export default function bringUp() {
  const actions = readdirSync(join(root, 'actions')).filter(name => existsSync(join(root, 'actions', name, 'action.yml')))
  const shared = newest(join(root, 'src'))
  const bundle = name => join(root, 'actions', name, 'dist', 'index.js')
  const unbuilt = actions.filter(name => !existsSync(bundle(name)))
  if (unbuilt.length > 0) throw new Error(`not built: ${unbuilt.join(', ')}. Run: npm run build`)
  const old = actions.filter(name => statSync(bundle(name)).mtimeMs < Math.max(shared, newest(join(root, 'actions', name, 'src'))))
  if (old.length > 0) process.stderr.write(`Sources have changed since ${old.join(', ')} was built. To test them: npm run build\n`)

  const { status, error } = spawnSync(process.execPath, [join(root, 'sandbox', 'main.ts'), 'up'], { stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`the sandbox did not come up (node sandbox/main.ts up ended with ${status})`)
}
