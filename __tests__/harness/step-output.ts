// A step's output put together as the runner's page shows it: annotations, groups, masks, and the lines between.
import { outputLines, parseCommand } from './runner-protocol.ts'

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice'
  readonly message: string
  readonly title?: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
}

export interface Group {
  readonly title: string
  readonly lines: readonly string[]
}

export interface StepOutput {
  readonly annotations: readonly Annotation[]
  readonly groups: readonly Group[]
  /** Values the step asked the runner to blot out. */
  readonly masks: readonly string[]
  /** Values set by the commands of old, `::set-output` and `::save-state`. */
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  /** The raw output without its add-mask lines: what must hold no secret even if the runner masked nothing. */
  readonly visible: string
}

export function readStepOutput(output: string): StepOutput {
  const annotations: Annotation[] = []
  const groups: { title: string; lines: string[] }[] = []
  const masks: string[] = []
  const outputs: Record<string, string> = {}
  const state: Record<string, string> = {}
  const visible: string[] = []
  let open: { title: string; lines: string[] } | undefined
  let stopToken: string | undefined
  for (const line of outputLines(output)) {
    if (stopToken !== undefined) {
      if (line.trim() === `::${stopToken}::`) stopToken = undefined
      visible.push(line)
      open?.lines.push(line)
      continue
    }
    const command = parseCommand(line)
    if (command?.name === 'add-mask') masks.push(command.data)
    else visible.push(line)
    switch (command?.name) {
      case undefined:
        open?.lines.push(line)
        break
      case 'error':
      case 'warning':
      case 'notice':
        annotations.push(annotation(command.name, command.data, command.properties))
        break
      case 'group':
        open = { title: command.data, lines: [] }
        groups.push(open)
        break
      case 'endgroup':
        open = undefined
        break
      case 'set-output':
        outputs[command.properties['name'] ?? ''] = command.data
        break
      case 'save-state':
        state[command.properties['name'] ?? ''] = command.data
        break
      case 'stop-commands':
        stopToken = command.data
        break
    }
  }
  return { annotations, groups, masks, outputs, state, visible: visible.join('\n') }
}

function annotation(level: Annotation['level'], message: string, properties: Readonly<Record<string, string>>): Annotation {
  const { title, file, line, col } = properties
  return {
    level,
    message,
    ...(title !== undefined && { title }),
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line: Number(line) }),
    ...(col !== undefined && { column: Number(col) }),
  }
}
