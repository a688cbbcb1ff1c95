// The sandbox's command line: what tests and the demo run against, brought up and taken down.
import { rmSync } from 'node:fs'
import { type Command, type PartName, parseArguments, partNames, usage } from './arguments.ts'
import { awsDown, awsUp } from './aws/part.ts'
import { baseImageUp } from './builder/base-image.ts'
import { builderDown, builderUp } from './builder/builder.ts'
import { clusterChoice, clusterDown, clusterUp } from './cluster/cluster.ts'
import { exportLines } from './environment.ts'
import { githubDown, githubUp } from './github/github.ts'
import { isAlive } from './identity.ts'
import { isReady, isRunning, records, startAgain, stop } from './processes.ts'
import { say, seconds } from './progress.ts'
import { registryDown, registryUp } from './registry/registry.ts'
import { environmentPath, readEnvironment, stateFolder, statePath, updateEnvironment, withLock, writeWhole } from './state.ts'
import { toolsUp } from './tools/tools.ts'

interface Part {
  up: () => Promise<void>
  down: () => Promise<void>
}

const parts: Record<PartName, Part> = {
  cluster: { up: clusterUp, down: clusterDown },
  registry: {
    // kind's registry is a container that comes with the cluster.
    up: async () => ((await clusterChoice()).use === 'kind' ? undefined : await registryUp()),
    down: registryDown,
  },
  builder: { up: builderUp, down: builderDown },
  tools: { up: toolsUp, down: async () => {} },
  github: { up: githubUp, down: githubDown },
  aws: { up: awsUp, down: awsDown },
}

async function up(names: PartName[]): Promise<void> {
  say('sandbox', `state is in ${stateFolder()}`)
  const running = new Map(names.map(name => [name, parts[name].up()]))
  const image = async (): Promise<void> => {
    if (!running.has('builder')) return
    // Their own failures are told below.
    const both = await Promise.allSettled([running.get('builder'), running.get('registry')])
    if (both.every(result => result.status === 'fulfilled')) await baseImageUp()
  }
  const work: [string, Promise<void>][] = [...running, ['base image', image()]]
  const results = await Promise.allSettled(work.map(([, promise]) => promise))
  const faults = results.flatMap((result, index) =>
    result.status === 'rejected' ? [`${work[index]?.[0]}: ${message(result.reason)}`] : [],
  )
  updateEnvironment({ PATH_PREPEND: [statePath('bin')] })
  if (faults.length > 0) throw new Error(faults.join('\n'))
  writeWhole(statePath('READY'), `${new Date().toISOString()}\n`)
  say('sandbox', `up after ${seconds().toFixed(1)} s; ${environmentPath()} says how to reach it`)
}

async function down(names: PartName[], purge: boolean): Promise<void> {
  rmSync(statePath('READY'), { force: true })
  const results = await Promise.allSettled(names.map(name => parts[name].down()))
  const faults = results.flatMap((result, index) =>
    result.status === 'rejected' ? [`${names[index]}: ${message(result.reason)}`] : [],
  )
  if (faults.length > 0) throw new Error(faults.join('\n'))
  if (names.length === partNames.length) rmSync(environmentPath(), { force: true })
  if (purge) rmSync(stateFolder(), { recursive: true, force: true })
  say('sandbox', `down after ${seconds().toFixed(1)} s${purge ? `; removed ${stateFolder()}` : ''}`)
}

/** Ends with 1 when something that should run does not. */
async function status(as: 'table' | 'env' | 'json'): Promise<void> {
  const environment = readEnvironment()
  if (as === 'env') {
    if (Object.keys(environment).length === 0) throw new Error('the sandbox is not up. Run: npm run sandbox -- up')
    process.stdout.write(exportLines(environment))
    return
  }
  const found = await Promise.all(
    records().map(async record => ({
      name: record.name,
      pid: record.identity?.pid,
      state:
        record.identity === null
          ? 'stopped'
          : !isAlive(record.identity)
            ? 'dead'
            : (await isReady(record))
              ? 'running'
              : 'not ready',
    })),
  )
  const table = [
    `state folder ${stateFolder()}`,
    ...found.map(({ name, pid, state }) => `${name.padEnd(24)} ${state.padEnd(10)} ${pid ?? ''}`.trimEnd()),
    ...Object.entries(environment).map(([key, value]) => `${key}=${Array.isArray(value) ? value.join(':') : value}`),
  ].join('\n')
  process.stdout.write(
    `${as === 'json' ? JSON.stringify({ folder: stateFolder(), processes: found, environment }, null, 2) : table}\n`,
  )
  if (Object.keys(environment).length === 0 || found.some(({ state }) => state === 'dead' || state === 'not ready'))
    process.exitCode = 1
}

async function main(command: Command): Promise<void> {
  switch (command.command) {
    case 'help':
      process.stdout.write(usage)
      return
    case 'up':
      return withLock(() => up(command.parts))
    case 'down':
      await withLock(() => down(command.parts, command.purge))
      return
    case 'status':
      return status(command.as)
    case 'stop':
      if (!(await stop(command.process)) && !isRunning(command.process)) say('sandbox', `${command.process} was not running`)
      return
    case 'start':
      return startAgain('sandbox', command.process)
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error))

// A reader such as `head` may stop reading.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
})

try {
  await main(parseArguments(process.argv.slice(2)))
} catch (error) {
  process.stderr.write(`${message(error)}\n`)
  process.exitCode = 1
}
