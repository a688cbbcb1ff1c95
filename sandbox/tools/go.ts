// Builds programs from the Go modules in this repository, one at a time: each build takes all cores by itself.
import { mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import { findProgram, mustRun } from '../command.ts'
import { say, seconds, withSignOfLife } from '../progress.ts'

export interface GoBuild {
  part: string
  name: string
  /** Folder of the module. */
  folder: string
  /** Package to build, as `go build` takes it. */
  target: string
  /** Where the binary goes. */
  output: string
  ldflags?: string
  /** Which file in the folder names the modules. Default: go.mod. */
  modules?: string
}

let building: Promise<void> = Promise.resolve()

export const goProgram = (): string | undefined => findProgram('go') ?? findProgram('/usr/local/go/bin/go')

/** Builds when its turn comes. */
export function goBuild(build: GoBuild): Promise<void> {
  building = building.catch(() => {}).then(() => buildNow(build))
  return building
}

async function buildNow({ part, name, folder, target, output, ldflags = '', modules = 'go.mod' }: GoBuild): Promise<void> {
  const go = goProgram()
  if (!go)
    throw new Error(`${name} is not on PATH and there is no Go to build it. Install ${name}, or Go (https://go.dev/doc/install)`)
  mkdirSync(dirname(output), { recursive: true })
  const begun = seconds()
  const environment = { CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly -buildvcs=false -trimpath' }
  const since = (): string => `${(seconds() - begun).toFixed(0)} s`
  const download = mustRun([go, 'list', `-modfile=${modules}`, '-deps', target], { cwd: folder, environment })
  const packages = (await withSignOfLife(part, () => `${name}: still fetching Go modules, ${since()}`, download))
    .trim()
    .split('\n').length
  say(part, `${name}: compiling up to ${packages} Go packages`)
  let compiled = 0
  const argv = [go, 'build', `-modfile=${modules}`, '-v', '-ldflags', `-s -w ${ldflags}`.trim(), '-o', `${output}.part`, target]
  const compile = mustRun(argv, {
    cwd: folder,
    environment,
    onLine: () => {
      compiled++
    },
  })
  await withSignOfLife(part, () => `${name}: compiled ${compiled} of at most ${packages} packages, ${since()}`, compile)
  renameSync(`${output}.part`, output)
  say(part, `${name}: built in ${since()}`)
}
