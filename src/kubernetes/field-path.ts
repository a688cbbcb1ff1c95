// Paths of fields, as the API server's errors write them: `spec.template.spec.containers[0].image`, `.spec.ports[port=80,protocol="TCP"]`.

/** Names of fields, indexes of lists, and, where the server names a list's item by its keys, the text between the brackets (`name="web"`). */
export type FieldPath = readonly (string | number)[]

/** Parses a path, with or without a dot at its front; `[a/b]` and `["a.b"]` are names too. Never throws: what can't be read is taken as a name. */
export function parseFieldPath(text: string): (string | number)[] {
  const path: (string | number)[] = []
  let index = 0
  while (index < text.length) {
    if (text[index] === '[') {
      const end = closingBracket(text, index)
      path.push(segmentOf(text.slice(index + 1, end)))
      index = end + 1
    } else if (text[index] === '.') {
      index++
    } else {
      const end = endOfName(text, index)
      path.push(text.slice(index, end))
      index = end
    }
  }
  return path
}

/** `spec.template.spec.containers[0].image`; names with a dot or a slash stand in brackets, as in the server's errors. */
export function formatFieldPath(path: FieldPath): string {
  return path
    .map((segment, index) => {
      if (typeof segment === 'number') return `[${segment}]`
      if (segment === '' || /[./[\]="]/.test(segment)) return `[${segment}]`
      return index === 0 ? segment : `.${segment}`
    })
    .join('')
}

/**
 * True when an item is the one that a selector such as `name="web"` or `port=80,protocol="TCP"` names.
 * @param read a field's value of the item as text; of the field '' the item itself, for `="value"`
 */
export function selects(selector: string, read: (field: string) => string | undefined): boolean {
  const terms = [...selector.matchAll(/([^=,"]*)=("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)/g)]
  if (terms.length === 0 || terms.map(term => term[0]).join('') !== selector) return false
  return terms.every(([, field = '', value = '']) => read(field) === unquoted(value))
}

function endOfName(text: string, begin: number): number {
  for (let index = begin; index < text.length; index++) if (text[index] === '.' || text[index] === '[') return index
  return text.length
}

function closingBracket(text: string, open: number): number {
  let quoted = false
  for (let index = open + 1; index < text.length; index++) {
    if (quoted && text[index] === '\\') index++
    else if (text[index] === '"') quoted = !quoted
    else if (!quoted && text[index] === ']') return index
  }
  return text.length
}

function segmentOf(inside: string): string | number {
  if (/^\d{1,9}$/.test(inside)) return Number(inside)
  return inside.startsWith('"') ? unquoted(inside) : inside
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}
