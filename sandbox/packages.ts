// Debian packages: what is missing, and installing it where that is allowed.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { findProgram, run } from './command.ts'
import { say, withSignOfLife } from './progress.ts'

/** What a part needs of the system: a program on PATH or a file, and the Debian package that brings it. */
export interface Requirement {
  /** A program's name, or a path. */
  provides: string
  package: string
}

export const isThere = (requirement: Requirement): boolean =>
  requirement.provides.startsWith('/') ? existsSync(requirement.provides) : findProgram(requirement.provides) !== undefined

export interface Means {
  root: boolean
  apt: boolean
}

export const means = (): Means => ({ root: process.getuid?.() === 0, apt: findProgram('apt-get') !== undefined })

/** Whether a requirement is there already or could be installed. */
export const canHave = (requirement: Requirement): boolean => isThere(requirement) || (means().root && means().apt)

/** What is missing and which command mends it, for someone who may not install packages or has no apt. */
export function missingMessage(missing: readonly Requirement[], { root, apt }: Means): string {
  const names = missing.map(requirement => requirement.provides).join(', ')
  const packages = [...new Set(missing.map(requirement => requirement.package))].join(' ')
  if (apt && !root) return `${names} missing, and only root may install packages. Run: sudo apt-get install -y ${packages}`
  return `${names} missing, and there is no apt-get here. Install them by this system's own means (Debian's packages are named: ${packages})`
}

let installing: Promise<void> = Promise.resolve()

/** Installs what is missing. Calls queue up behind one another: dpkg lets only one in. */
export function installMissing(part: string, requirements: readonly Requirement[]): Promise<void> {
  installing = installing.catch(() => {}).then(() => install(part, requirements))
  return installing
}

async function install(part: string, requirements: readonly Requirement[]): Promise<void> {
  const missing = requirements.filter(requirement => !isThere(requirement))
  if (missing.length === 0) return
  const has = means()
  if (!has.root || !has.apt) throw new Error(missingMessage(missing, has))
  const packages = [...new Set(missing.map(requirement => requirement.package))]
  say(part, `installing Debian packages: ${packages.join(' ')}`)
  const environment = { DEBIAN_FRONTEND: 'noninteractive' }
  // Else a package's service would start at once, and take our port.
  const policy = '/usr/sbin/policy-rc.d'
  const quiet = !existsSync(policy)
  if (quiet) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    const argv = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages]
    const still = (): string => `still installing ${packages.join(' ')}`
    let result = await withSignOfLife(part, still, run(argv, { environment }))
    if (result.code !== 0) {
      say(part, 'updating the package lists')
      await withSignOfLife(part, () => 'still updating the package lists', run(['apt-get', 'update', '-qq'], { environment }))
      result = await withSignOfLife(part, still, run(argv, { environment }))
    }
    if (result.code !== 0)
      throw new Error(
        `Debian packages could not be installed (${argv.join(' ')}):\n  ${result.stderr.trim().split('\n').slice(-5).join('\n  ')}`,
      )
  } finally {
    if (quiet) rmSync(policy, { force: true })
  }
  const absent = missing.filter(requirement => !isThere(requirement))
  if (absent.length > 0) throw new Error(`installed, yet missing: ${absent.map(requirement => requirement.provides).join(', ')}`)
}
