// An OCI registry on 127.0.0.1:5000 that any client on this machine may push to.
import { findProgram, mustRun, run } from '../command.ts'
import { canHave, installMissing, means, missingMessage, type Requirement } from '../packages.ts'
import { accepts, answers, isRunning, remove, start } from '../processes.ts'
import { say } from '../progress.ts'
import { readEnvironment, statePath, updateEnvironment, writeWhole } from '../state.ts'

export const registryPort = 5000
export const registryAddress = `127.0.0.1:${registryPort}`
/** The registry as a container, for a cluster inside Docker: that cluster cannot reach a process on the host's loopback. */
export const registryContainer = 'deploy-actions-registry'

const requirement: Requirement = { provides: 'docker-registry', package: 'docker-registry' }

export async function registryUp(): Promise<void> {
  await serve()
  updateEnvironment({ REGISTRY: registryAddress })
}

async function serve(): Promise<void> {
  if (!isRunning('registry')) {
    if (await answers(`http://${registryAddress}/v2/`)) {
      say('registry', `one already answers on ${registryAddress}; using it`)
      return
    }
    if (await accepts(registryPort))
      throw new Error(
        `port ${registryPort} of 127.0.0.1 is taken by something that is no open registry. End it (on macOS: switch off AirPlay Receiver) and run this again`,
      )
    if (!canHave(requirement)) {
      if (findProgram('docker')) return await inDocker()
      throw new Error(missingMessage([requirement], means()))
    }
  }
  await installMissing('registry', [requirement])
  const configuration = statePath('registry', 'config.yml')
  writeWhole(
    configuration,
    `version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: ${JSON.stringify(statePath('registry', 'data'))}}, delete: {enabled: true}}
http: {addr: "${registryAddress}"}
`,
  )
  await start('registry', {
    name: 'registry',
    argv: [findProgram('docker-registry') ?? 'docker-registry', 'serve', configuration],
    ready: { http: `http://${registryAddress}/v2/` },
    readyWithin: 20,
  })
  say('registry', `ready on ${registryAddress}`)
}

/** The registry as a Docker container, where there is Docker and no docker-registry, as on macOS. */
export async function inDocker(): Promise<void> {
  if ((await run(['docker', 'start', registryContainer])).code !== 0)
    await mustRun(['docker', 'run', '-d', '--name', registryContainer, '-p', `127.0.0.1:${registryPort}:5000`, 'registry:2'])
  say('registry', `ready on ${registryAddress} (container ${registryContainer})`)
}

export async function registryDown(): Promise<void> {
  await remove('registry')
  const docker = readEnvironment().REGISTRY ? findProgram('docker') : undefined
  if (docker) await run([docker, 'rm', '-f', registryContainer], { timeout: 20_000 })
  updateEnvironment({ REGISTRY: undefined })
}
