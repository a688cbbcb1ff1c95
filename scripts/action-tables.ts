// The tables of inputs and outputs in an action's README, made from its action.yml.
import type { ActionFile } from './action-file.ts'

export const SECTIONS = ['inputs', 'outputs'] as const
export type Section = (typeof SECTIONS)[number]

export function inputsTable(action: ActionFile): string {
  const rows = Object.entries(action.inputs).map(([name, input]) => {
    const value = input.required === true ? '**required**' : input.default === undefined ? '' : `\`${oneLine(input.default)}\``
    return `| \`${name}\` | ${value} | ${oneLine(input.description ?? '')} |`
  })
  return ['| input | default | meaning |', '|---|---|---|', ...rows].join('\n').replaceAll('|  |', '| |')
}

export function outputsTable(action: ActionFile): string {
  const rows = Object.entries(action.outputs).map(([name, output]) => `| \`${name}\` | ${oneLine(output.description ?? '')} |`)
  return ['| output | value |', '|---|---|', ...rows].join('\n')
}

export function tableOf(action: ActionFile, section: Section): string {
  return section === 'inputs' ? inputsTable(action) : outputsTable(action)
}

/** What stands in a README between `<!-- inputs -->` and `<!-- /inputs -->`; undefined when the pair is not there. */
export function tableIn(readme: string, section: Section): string | undefined {
  return between(section).exec(readme)?.[2]?.trim()
}

/**
 * The README with both tables as action.yml has them.
 * @throws Error when a pair of marks is missing
 */
export function withTables(readme: string, action: ActionFile): string {
  return SECTIONS.reduce((text, section) => {
    if (!between(section).test(text)) throw new Error(missingMarks(section))
    return text.replace(between(section), (_, open, __, close) => `${open}\n${tableOf(action, section)}\n${close}`)
  }, readme)
}

export function missingMarks(section: Section): string {
  return `README.md has no place for the ${section}: put the lines <!-- ${section} --> and <!-- /${section} --> where the table belongs`
}

function between(section: Section): RegExp {
  return new RegExp(`(<!-- ${section} -->)([\\s\\S]*?)(<!-- /${section} -->)`)
}

/** A default without quotes may be a number or a truth value; that this is a fault is told elsewhere. */
function oneLine(text: unknown): string {
  return String(text)
    .trim()
    .replaceAll('|', '\\|')
    .replace(/\s*\n\s*/g, ' ')
}
