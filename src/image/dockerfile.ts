// The instructions of a Dockerfile with their lines: to check a target before the build, and to find the line of a step that failed.

export interface Instruction {
  /** Counts from 1. */
  readonly line: number
  /** The instruction with its continuation lines joined, white space made single. */
  readonly text: string
}

/** The instructions in order. Here-documents belong to the instruction that opens them. */
export function instructionsOf(dockerfile: string): readonly Instruction[] {
  const instructions: Instruction[] = []
  const continuation = /^\s*#\s*escape\s*=\s*`/im.test(dockerfile.split('\n', 5).join('\n')) ? '`' : '\\'
  const lines = dockerfile.split(/\r?\n/)
  for (let index = 0; index < lines.length; index++) {
    const first = lines[index] ?? ''
    if (/^\s*(?:#|$)/.test(first)) continue
    const line = index + 1
    let text = first.trim()
    while (text.endsWith(continuation) && index + 1 < lines.length) {
      const next = (lines[++index] ?? '').trim()
      text = next === '' || next.startsWith('#') ? text : `${text.slice(0, -1).trim()} ${next}`
    }
    if (/^(?:RUN|COPY|ADD)\s/i.test(text))
      for (const [, strip, word = ''] of text.matchAll(/<<(-?)["']?([A-Za-z_][A-Za-z0-9_]*)["']?/g))
        while (index + 1 < lines.length) {
          const body = lines[++index] ?? ''
          if ((strip === '-' ? body.replace(/^\t+/, '') : body) === word) break
        }
    instructions.push({ line, text: single(text) })
  }
  return instructions
}

/** The named stages, in lower case as BuildKit compares them, and the number of all stages. */
export function stagesOf(dockerfile: string): { readonly names: readonly string[]; readonly count: number } {
  const from = instructionsOf(dockerfile).filter(instruction => /^FROM\s/i.test(instruction.text))
  const names = from.flatMap(instruction => /\sAS\s+(\S+)\s*$/i.exec(instruction.text)?.[1]?.toLowerCase() ?? [])
  return { names, count: from.length }
}

/** True when the build may well have that target; where another frontend reads the file, nothing can be said against it. */
export function hasTarget(dockerfile: string, target: string): boolean {
  const syntax = /^\s*#\s*syntax\s*=\s*(\S+)/i.exec(dockerfile)?.[1]
  if (syntax !== undefined && !/(?:^|\/)dockerfile(?:-upstream)?(?:[:@]|$)/.test(syntax)) return true
  const { names, count } = stagesOf(dockerfile)
  return names.includes(target.toLowerCase()) || (/^\d+$/.test(target) && Number(target) < count)
}

/** The instruction a build step was made of, by the step's name such as `[build 2/4] RUN npm ci`. */
export function instructionOfStep(dockerfile: string, step: string): Instruction | undefined {
  const all = instructionsOf(dockerfile)
  const only = (found: readonly Instruction[]): Instruction | undefined => (found.length === 1 ? found[0] : undefined)
  const text = single(step.replace(/^\[[^\]]*\]\s*/, ''))
  const base = /internal\] load metadata for (\S+)$/
    .exec(step)?.[1]
    ?.replace(/:latest$/, '')
    .replace(/^docker\.io\/(?:library\/)?/, '')
  if (base !== undefined)
    return only(all.filter(instruction => /^FROM\s/i.test(instruction.text) && instruction.text.includes(base)))
  if (text === '' || /^\[(?:\S+ )?internal\]/.test(step)) return undefined
  // BuildKit's step names have white space of their own and variables filled in: what is equal wins, then what begins alike.
  const same = all.filter(instruction => instruction.text === text)
  if (same.length > 0) return only(same)
  const head = text.slice(0, 24)
  return only(all.filter(instruction => instruction.text.startsWith(head)))
}

function single(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
