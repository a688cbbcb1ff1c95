// How fast each bundle is up, and how large it is.
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { inputVariable } from '../__tests__/harness/runner-protocol.ts'
import { actionNames, readActionFile, repositoryRoot } from '../scripts/action-file.ts'
import { type Measurement, median, spread } from './measurement.ts'

const ROUNDS = 21
/** The Node that actions are run with, not a shim in front of it. */
const NODE = join(repositoryRoot, 'node_modules', 'node', 'bin', 'node')

export async function measureStart(): Promise<Measurement[]> {
  const bundles = actionNames().map(name => {
    const action = readActionFile(name)
    // A workflow that gives no inputs, or where an action could do with none of them, a wrong one.
    const given = Object.entries(action.inputs).map(([input, { default: value }]) => [input, value ?? ''] as const)
    const inputs = given.map(([input, value]) => [inputVariable(input), input === 'timeout' ? 'soon' : value] as const)
    return { name, folder: join(action.folder, 'dist'), env: Object.fromEntries(inputs), times: [] as number[] }
  })
  const nothing: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    nothing.push(await untilEnd())
    for (const { folder, env, times } of bundles) times.push(await untilInputError(join(folder, 'index.js'), env))
  }
  return [
    ...bundles.map(
      ({ name, times }): Measurement => ({
        name: `${name}: start until the first input error, to node -e 0`,
        value: median(times) / median(nothing),
        unit: 'x',
        atMost: 1.6,
        note: `${median(times).toFixed(0)} ms (${spread(times, 0)}) to ${median(nothing).toFixed(0)} ms`,
      }),
    ),
    ...bundles.map(({ name, folder }): Measurement => {
      const lazy = readdirSync(folder).filter(file => /^\d+\.index\.js$/.test(file))
      const lazyKilobytes = lazy.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0) / 1_000
      return {
        name: `${name}: bundle without its lazily loaded chunks`,
        value: statSync(join(folder, 'index.js')).size / 1_000,
        unit: 'kB',
        atMost: 1_000,
        note: `and ${lazy.length} chunks of ${lazyKilobytes.toFixed(0)} kB in all`,
      }
    }),
  ]
}

function untilEnd(): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = performance.now()
    const child = spawn(NODE, ['-e', '0'], { stdio: 'ignore', env: {} })
    child.once('error', reject)
    child.once('exit', () => resolve(performance.now() - begun))
  })
}

function untilInputError(script: string, env: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = performance.now()
    const child = spawn(NODE, [script], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...env, GITHUB_ACTIONS: 'true' } })
    let seen: number | undefined
    child.stdout.on('data', (text: Buffer) => {
      if (text.includes('::error')) seen ??= performance.now() - begun
    })
    child.once('error', reject)
    child.once('close', () => (seen === undefined ? reject(new Error(`${script} reports no input error`)) : resolve(seen)))
  })
}
