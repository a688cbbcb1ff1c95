// What no file of this repository may hold, as pure functions from a path and a text to sentences.
import { dirname, normalize, posix } from 'node:path'
import { isMap, isScalar, parseDocument, visit } from 'yaml'

export type Rule = (path: string, text: string) => readonly string[]

/** Every fault of a line that matches, with its number. */
function linesThat(matches: RegExp, says: (found: string) => string, inText: string): string[] {
  return inText.split('\n').flatMap((line, index) => {
    const found = matches.exec(line)
    return found === null ? [] : [`line ${index + 1}: ${says(found[0])}`]
  })
}

const isTypeScript = (path: string): boolean => /\.(ts|mts|js|mjs)$/.test(path)
const isMarkdown = (path: string): boolean => path.endsWith('.md')
const isWorkflow = (path: string): boolean => /(^|\/)\.github\/workflows\/[^/]+\.ya?ml$/.test(path)
const isActionFile = (path: string): boolean => /(^|\/)action\.ya?ml$/.test(path)
const isTest = (path: string): boolean => path.endsWith('.test.ts')

/** A package registry's own address: a lock file or script that names one breaks behind a mirror. */
export const noRegistryAddress: Rule = (_, text) =>
  linesThat(
    /\b(registry\.(npmjs|yarnpkg)\.(org|com)|files\.pythonhosted\.org|pypi\.org\/simple|(proxy|sum)\.golang\.org|(deb|security)\.debian\.org|static\.crates\.io)\b/,
    found => `names the package registry ${found}; leave it to the client's configuration`,
    text,
  )

/** A path as it is on somebody's machine. /home/runner is GitHub's own. */
export const noMachinePath: Rule = (_, text) =>
  linesThat(
    /(?<![\w.$}*-])\/(work\/(?!_)|root\/|home\/(?!runner\b)[\w.-]+\/|Users\/[\w.-]+\/)[\w.-]*/,
    found => `has the path ${found} of one machine; write it relative to the repository`,
    text,
  )

export const noResolvedAddress: Rule = (path, text) =>
  path.endsWith('package-lock.json')
    ? linesThat(
        /"resolved": "https?:/,
        () => 'has a download address; .npmrc has omit-lockfile-registry-resolved=true, so run npm install again',
        text,
      )
    : []

/** Expressions in a script are pasted into it before the shell reads it: whoever writes a branch name writes the script. */
export const noExpressionInRun: Rule = (path, text) => {
  if (!isWorkflow(path) && !isActionFile(path)) return []
  const faults: string[] = []
  visit(parseDocument(text), {
    Pair: (_, pair) => {
      if (!isScalar(pair.key) || pair.key.value !== 'run' || !isScalar(pair.value)) return
      const script = String(pair.value.value)
      if (!script.includes('$' + '{{')) return
      const line = text.slice(0, pair.value.range?.[0] ?? 0).split('\n').length
      faults.push(`line ${line}: an expression in run; hand it over by env and use the variable`)
    },
  })
  return faults
}

/** A tag can be moved to other code, a commit can't. Our own actions are called by the tag that users call them by. */
export const pinnedUses: Rule = (path, text) => {
  if (!isWorkflow(path) && !isActionFile(path)) return []
  return text.split('\n').flatMap((line, index) => {
    const uses = /^\s*(?:-\s+)?uses:\s*['"]?([^\s'"#]+)['"]?\s*(#.*)?$/.exec(line)
    const [, what = '', comment = ''] = uses ?? []
    if (what === '' || what.startsWith('./') || /^[^/]+\/deploy-actions\//.test(what)) return []
    const where = `line ${index + 1}: ${what}`
    if (what.startsWith('docker://')) {
      return what.includes('@sha256:') ? [] : [`${where} is not pinned; use docker://image@sha256:...`]
    }
    if (!/@[0-9a-f]{40}$/.test(what)) return [`${where} is not pinned; use the full commit SHA`]
    return /^#\s*v?\d+(\.\d+)*/.test(comment) ? [] : [`${where} does not say its version; add it as a comment, # v1.2.3`]
  })
}

/** Without a declaration a workflow has what the repository's settings happen to give. */
export const permissionsDeclared: Rule = (path, text) => {
  if (!isWorkflow(path)) return []
  const document = parseDocument(text)
  if (document.has('permissions')) return []
  const jobs = document.get('jobs')
  if (!isMap(jobs)) return ['has no jobs']
  const without = jobs.items.filter(job => !(isMap(job.value) && job.value.has('permissions')))
  return without.map(job => `job ${job.key}: has no permissions; declare them, or for the whole workflow`)
}

/** A test's own name says what it is for. */
export const saysWhatItIsFor: Rule = (path, text) => {
  if (!isTypeScript(path) || isTest(path)) return []
  const lines = text.split('\n')
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0]
  return /^\/[/*]/.test(first ?? '') ? [] : ['line 1: the file does not begin with a comment that says what it is for']
}

export const namedForWhatItHolds: Rule = path =>
  /(^|[/._-])(utils?|helpers?|common|managers?|misc)(?=[./_-])/i.test(path)
    ? ['is named for nothing; name it for the thing it holds']
    : []

/** Every relative link in Markdown must lead to a tracked file, or a folder of one. */
export function linksLeadSomewhere(tracked: ReadonlySet<string>): Rule {
  const folders = new Set([...tracked].flatMap(file => parents(file)))
  return (path, text) => {
    if (!isMarkdown(path)) return []
    // Code is no link.
    const prose = text.replace(/```[\s\S]*?```/g, block => block.replace(/[^\n]/g, ' ')).replace(/`[^`\n]*`/g, '')
    return prose.split('\n').flatMap((line, index) =>
      [...line.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|(?:src|href)="([^"]+)"/g)].flatMap(match => {
        const target = match[1] ?? match[2] ?? ''
        if (/^([a-z][a-z0-9+.-]*:|#|\/\/)/i.test(target)) return []
        const file = normalize(posix.join(dirname(path), decodeURIComponent(target.replace(/[#?].*$/, '')))).replace(/\/$/, '')
        return tracked.has(file) || folders.has(file) ? [] : [`line ${index + 1}: links to ${target}, which is not there`]
      }),
    )
  }
}

function parents(file: string): string[] {
  const parts = file.split('/').slice(0, -1)
  return ['.', ...parts.map((_, index) => parts.slice(0, index + 1).join('/'))]
}

/** Where a folder may not import from. */
const WALLS: readonly { readonly from: RegExp; readonly to: RegExp; readonly why: string }[] = [
  { from: /^src\//, to: /^(actions|__tests__|sandbox|scripts|bench)\//, why: 'src knows none of its users' },
  { from: /^src\/deploy\//, to: /^src\/(kubernetes|ecs)\//, why: 'the engine knows Platform, never one of them' },
  { from: /^src\/kubernetes\//, to: /^src\/ecs\//, why: 'neither platform knows the other' },
  { from: /^src\/ecs\//, to: /^src\/kubernetes\//, why: 'neither platform knows the other' },
  { from: /^src\/runner\//, to: /^src\/(?!runner\/)/, why: 'the runner side is below everything' },
  { from: /^actions\/[^/]+\//, to: /^(__tests__|sandbox|scripts|bench)\//, why: 'an action is built from src alone' },
]

export const importsPointDown: Rule = (path, text) => {
  if (!isTypeScript(path)) return []
  return text.split('\n').flatMap((line, index) =>
    [...line.matchAll(/(?:\bfrom|\bimport\(?)\s*['"](\.[^'"]+)['"]/g)].flatMap(match => {
      const target = posix.join(dirname(path), match[1] ?? '')
      return WALLS.filter(wall => wall.from.test(path) && wall.to.test(target)).map(
        wall => `line ${index + 1}: imports ${target}; ${wall.why}`,
      )
    }),
  )
}

export const everyTestRuns: Rule = (path, text) =>
  isTest(path)
    ? linesThat(
        /\b(test|describe|it)(\.\w+)*\.(skip|only|todo|failing)\b|^\s*[xf](test|describe|it)\(/,
        found => `${found.trim()}: a test that does not run, or keeps others from it; run it or take it out`,
        text,
      )
    : []

/** A command is a list of arguments: what a shell never reads, nobody can put a command into. */
export const noShellString: Rule = (path, text) => {
  if (!isTypeScript(path)) return []
  const imported = /import\s*\{([^}]*)\}\s*from\s*['"](?:node:)?child_process['"]/g
  const names = [...text.matchAll(imported)].flatMap(match =>
    (match[1] ?? '').split(',').map(name => name.trim().split(' ')[0] ?? ''),
  )
  return [
    ...linesThat(/\bshell:\s*(true|['"])/, () => 'a command as a shell string; use a list of arguments', text),
    ...linesThat(/\bchild_process\.exec(Sync)?\(/, () => 'exec runs a shell string; use execFile or spawn', text),
    ...names
      .filter(name => name === 'exec' || name === 'execSync')
      .map(name => `imports ${name}, which runs a shell string; use execFile or spawn`),
  ]
}

/** The rules for one file, by what they are about. */
export function allRules(tracked: ReadonlySet<string>): Readonly<Record<string, Rule>> {
  return {
    'names no package registry': noRegistryAddress,
    'has no path of one machine': noMachinePath,
    'keeps download addresses out of the lock file': noResolvedAddress,
    'has no expression in a script': noExpressionInRun,
    'pins what it uses': pinnedUses,
    'declares its permissions': permissionsDeclared,
    'says what it is for': saysWhatItIsFor,
    'is named for what it holds': namedForWhatItHolds,
    'links to what is there': linksLeadSomewhere(tracked),
    'imports downwards': importsPointDown,
    'runs every test': everyTestRuns,
    'runs no shell string': noShellString,
  }
}
