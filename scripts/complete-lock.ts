// Completes package-lock.json after an npm install: npm leaves out the builds for other platforms that the registry in use does not
// offer, and `npm ci` then refuses the lock file. With --check it only says what is missing. What is added has no integrity hash,
// for none is known here; npm adds it where it installs that build.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface LockEntry {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const PLATFORM = /-(android|darwin|freebsd|linux|openharmony|win32)(?:-([a-z0-9]+))?(?:-([a-z]+))?$/

/** The entries that optional dependencies of other platforms should have and have not, by their key in the lock file. */
export function missingEntries(packages: Readonly<Record<string, LockEntry>>): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {}
  for (const [owner, entry] of Object.entries(packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      const nested = `${owner}/node_modules/${name}`
      const key = `node_modules/${name}`
      const [, os, cpu, abi] = PLATFORM.exec(name) ?? []
      if (packages[key] !== undefined || packages[nested] !== undefined || os === undefined) continue
      const libc = os !== 'linux' || abi === undefined ? undefined : abi.startsWith('musl') ? 'musl' : 'glibc'
      missing[key] = {
        version: range.replace(/^[\^~=]/, ''),
        ...(cpu !== undefined && { cpu: [cpu] }),
        ...(entry.dev === true && { dev: true }),
        ...(libc !== undefined && { libc: [libc] }),
        optional: true,
        os: [os],
      }
    }
  }
  return missing
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', 'package-lock.json')
  const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, LockEntry> }
  const missing = missingEntries(lock.packages)
  const names = Object.keys(missing)
  if (names.length === 0) process.stdout.write('package-lock.json is complete\n')
  else if (process.argv.includes('--check')) {
    process.stderr.write(`package-lock.json lacks ${names.join(', ')}. Run: node scripts/complete-lock.ts\n`)
    process.exitCode = 1
  } else {
    const all = Object.entries({ ...lock.packages, ...missing })
    lock.packages = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)))
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
    process.stdout.write(`added ${names.length} entries to package-lock.json\n`)
  }
}
