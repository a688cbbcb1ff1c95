// Writes the tables of inputs and outputs into each action's README from its action.yml; with --check it only compares.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { actionNames, readActionFile } from './action-file.ts'
import { withTables } from './action-tables.ts'
import { withFalseAlarms, withPresets } from './gate-tables.ts'

const check = process.argv.includes('--check')
const faults: string[] = []
const names = actionNames()
for (const name of names) {
  const action = readActionFile(name)
  const file = join(action.folder, 'README.md')
  const shown = `actions/${name}/README.md`
  try {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    // A test holds the gate's figures to the code: to work them out takes seconds, so that a mere check passes them over.
    const figures = name === 'monitoring-gate' && !check
    const wanted = figures ? withFalseAlarms(withPresets(withTables(text, action))) : withTables(text, action)
    if (wanted === text) process.stdout.write(`${shown} is as action.yml says\n`)
    else if (check) faults.push(`${shown}: its tables differ from action.yml. Run: node scripts/write-tables.ts`)
    else {
      writeFileSync(file, wanted)
      process.stdout.write(`${shown} written\n`)
    }
  } catch (error) {
    faults.push(`${shown}: ${error instanceof Error ? error.message : error}`)
  }
}
if (names.length === 0) faults.push('there is no action in actions/')
for (const fault of faults) process.stderr.write(`${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0
