// Writes the tables of inputs and outputs into each action's README from its action.yml, and the JSON Schema of check files; with --check it only compares.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { actionNames, readActionFile, repositoryRoot } from './action-file.ts'
import { withTables } from './action-tables.ts'
import { CHECK_FILE_SCHEMA, checkFileJsonSchema } from './check-file-schema.ts'
import { withFalseAlarms, withPresets } from './gate-tables.ts'

const check = process.argv.includes('--check')
const faults: string[] = []
const names = actionNames()

/** Writes the file where it is not as it should be, or says so. */
function hold(file: string, shown: string, wanted: (text: string) => string): void {
  try {
    const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const made = wanted(text)
    if (made === text) process.stdout.write(`${shown} is as its source says\n`)
    else if (check) faults.push(`${shown} differs from its source. Run: npm run docs`)
    else {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, made)
      process.stdout.write(`${shown} written\n`)
    }
  } catch (error) {
    faults.push(`${shown}: ${error instanceof Error ? error.message : error}`)
  }
}

for (const name of names) {
  const action = readActionFile(name)
  hold(join(action.folder, 'README.md'), `actions/${name}/README.md`, text => withTables(text, action))
}
// To work the figures out takes seconds: a mere check leaves them to the test that does.
const gate = 'actions/monitoring-gate/README.md'
hold(join(repositoryRoot, gate), gate, text => (check ? withPresets(text) : withFalseAlarms(withPresets(text))))
hold(join(repositoryRoot, CHECK_FILE_SCHEMA), CHECK_FILE_SCHEMA, checkFileJsonSchema)
if (names.length === 0) faults.push('there is no action in actions/')
for (const fault of faults) process.stderr.write(`${fault}\n`)
process.exitCode = faults.length > 0 ? 1 : 0
