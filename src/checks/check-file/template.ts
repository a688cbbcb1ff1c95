// Text with variables in it: `${name}`, `${env.NAME}`; `$${` is a plain `${`. A value is put in as it is and never read again, so that nothing in
// it can become a variable, whoever wrote it.

/** Text as it is, or the name of a variable. */
export type TemplatePart = { readonly text: string } | { readonly name: string }

const REFERENCE = /\$(\$\{)|\$\{\s*((?:env\.)?[A-Za-z_][\w-]*)\s*\}|(\$\{)/g

/** What is wrong with a text, said after the place where it stands. */
export class TemplateFault extends Error {
  /** The entry of `with` whose text it is, where it is one. */
  entry: string | undefined
}

/** @throws TemplateFault for a `${` that begins no variable */
export function parseTemplate(text: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = []
  let from = 0
  const add = (literal: string): void => {
    if (literal !== '') parts.push({ text: literal })
  }
  for (const match of text.matchAll(REFERENCE)) {
    add(text.slice(from, match.index))
    from = match.index + match[0].length
    const [, escaped, name, stray] = match
    if (stray !== undefined)
      throw new TemplateFault(
        'has a "${" that begins no variable; write ${name} or ${env.NAME}, and $${ for the characters themselves',
      )
    if (name !== undefined) parts.push({ name })
    else add(escaped ?? '')
  }
  add(text.slice(from))
  return parts
}

/** The names of all variables in a text. */
export function referencesIn(text: string): readonly string[] {
  return parseTemplate(text).flatMap(part => ('name' in part ? [part.name] : []))
}

/** The text with its variables filled in. */
export function fillTemplate(text: string, lookUp: (name: string) => string): string {
  return parseTemplate(text)
    .map(part => ('text' in part ? part.text : lookUp(part.name)))
    .join('')
}
