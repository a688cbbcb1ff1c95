// `npm run bench`: measures what the project promises in numbers, prints one table, and ends red when a bound is missed.
import { isMissed, type Measurement, table } from './measurement.ts'

const BENCHES: Readonly<Record<string, { readonly what: string; readonly run: () => Promise<Measurement[]> }>> = {
  start: { what: 'cold start and size of each bundle', run: async () => (await import('./start.ts')).measureStart() },
  release: { what: 'good releases against kubectl', run: async () => (await import('./release.ts')).measureReleases() },
  checks: { what: 'a check file of 100 steps', run: async () => (await import('./checks.ts')).measureChecks() },
  failures: { what: 'from a failure to the verdict', run: async () => (await import('./failures.ts')).measureFailures() },
  many: { what: '50 Deployments in one step', run: async () => (await import('./many.ts')).measureMany() },
  crowd: { what: '200 Deployments in one step, on a fake node', run: async () => (await import('./many.ts')).measureCrowd() },
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter(name => !(name in BENCHES))
if (unknown.length > 0) {
  const known = Object.entries(BENCHES).map(([name, { what }]) => `  ${name.padEnd(9)} ${what}`)
  process.stderr.write(`There is no bench called ${unknown.join(', ')}. There are:\n${known.join('\n')}\n`)
  process.exit(2)
}

const measurements: Measurement[] = []
const broken: string[] = []
for (const [name, { what, run }] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const begun = performance.now()
  process.stderr.write(`${name}: ${what} ...`)
  try {
    measurements.push(...(await run()))
    process.stderr.write(` ${((performance.now() - begun) / 1_000).toFixed(0)} s\n`)
  } catch (error) {
    process.stderr.write(' broken\n')
    broken.push(`${name} could not be measured: ${error instanceof Error ? error.stack : error}`)
  }
}

process.stdout.write(`\n${table(measurements)}\n`)
const missed = measurements.filter(isMissed)
if (missed.length > 0)
  process.stdout.write(`\n${missed.length} of ${measurements.length} missed: ${missed.map(({ name }) => name).join('; ')}\n`)
for (const fault of broken) process.stdout.write(`\n${fault}\n`)
process.exit(missed.length + broken.length === 0 ? 0 : 1)
