// Records what kubectl makes of YAML: `node kubectl-yaml.record.ts [kubectl]` reads the cases of kubectl-yaml.json again and writes kubectl's
// answers beside them. `annotate --local` reads a file as `apply` does and needs no cluster.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

interface Case {
  readonly name: string
  readonly text: string
  /** The objects as JSON texts, so that no digit is lost; absent where kubectl refused. */
  objects?: string[]
  error?: string
}

const FILE = new URL('kubectl-yaml.json', import.meta.url)
const kubectl = process.argv[2] ?? 'kubectl'
const MARK = 'recorded'

function read(text: string): Pick<Case, 'objects' | 'error'> {
  const argv = ['--kubeconfig=/dev/null', 'annotate', '--local', '-f', '-', `${MARK}=1`, '-o', 'jsonpath-as-json={@}']
  try {
    const output = execFileSync(kubectl, argv, { input: text, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 28 })
    return { objects: splitArrays(output).map(withoutMark) }
  } catch (error) {
    const message = String((error as { stderr?: string }).stderr)
    return { error: message.trim().split('\n').at(-1)?.slice(0, 300) ?? '' }
  }
}

/** kubectl prints one array of one object for each document. */
function splitArrays(output: string): string[] {
  return output
    .split(/^\]\n?$/m)
    .map(part => part.trim().replace(/^\[\s*/, ''))
    .filter(part => part !== '')
}

function withoutMark(json: string): string {
  return json
    .replace(/\s*\n\s*/g, ' ')
    .replace(/"annotations": \{ "recorded": "1" \},? ?/, '')
    .trim()
}

const recorded = JSON.parse(readFileSync(FILE, 'utf8')) as { kubectl: string; cases: Case[] }
const version = JSON.parse(execFileSync(kubectl, ['version', '--client', '-o', 'json'], { encoding: 'utf8' })) as {
  clientVersion: { gitVersion: string }
}
const cases = recorded.cases.map(({ name, text }) => ({ name, text, ...read(text) }))
writeFileSync(FILE, `${JSON.stringify({ kubectl: version.clientVersion.gitVersion, cases }, null, 1)}\n`)
