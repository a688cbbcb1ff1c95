// The sandbox's part `prometheus`: a real Prometheus that scrapes whatever tests and the demo tell it to, once a second.
import { mkdirSync } from 'node:fs'
import { findProgram } from '../command.ts'
import { installMissing, type Requirement } from '../packages.ts'
import { accepts, isRunning, remove, start } from '../processes.ts'
import { say } from '../progress.ts'
import { readEnvironment, statePath, updateEnvironment, writeWhole } from '../state.ts'

/** Not Prometheus' own 9090: Debian's service takes that when the machine starts again. */
const port = 9190
const address = `http://127.0.0.1:${port}`
const requirement: Requirement = { provides: 'prometheus', package: 'prometheus' }

export async function prometheusUp(): Promise<void> {
  if (!isRunning('prometheus') && (await accepts(port)))
    throw new Error(`port ${port} of 127.0.0.1 is taken by something else. End it and run this again`)
  // While it is installed no service is started: packages.ts sees to that.
  await installMissing('prometheus', [requirement])
  const targets = statePath('prometheus', 'targets')
  mkdirSync(targets, { recursive: true })
  const configuration = statePath('prometheus', 'prometheus.yml')
  writeWhole(
    configuration,
    `global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
  - job_name: targets
    file_sd_configs: [{files: [${JSON.stringify(`${targets}/*.json`)}], refresh_interval: 1s}]
`,
  )
  await start('prometheus', {
    name: 'prometheus',
    argv: [
      findProgram('prometheus') ?? 'prometheus',
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${statePath('prometheus', 'data')}`,
      '--storage.tsdb.retention.time=2h',
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    ready: { http: `${address}/-/ready` },
    readyWithin: 30,
  })
  updateEnvironment({ PROMETHEUS_URL: address, PROMETHEUS_TARGETS: targets })
  say('prometheus', `ready on ${address}`)
}

export async function prometheusDown(): Promise<void> {
  await remove('prometheus')
  if (readEnvironment().PROMETHEUS_URL !== undefined)
    updateEnvironment({ PROMETHEUS_URL: undefined, PROMETHEUS_TARGETS: undefined })
}
