// The ways in which a secret may stand in a text: as it is, or as Markdown, HTML, JSON or a URL writes it. A report that was escaped would else show it.

/** Longer secrets are looked for as they are: no escaped copy of one is ever seen, and the expression would be long. */
const LONGEST_SPELT = 4_096

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

/** An expression, or for a very long secret the text itself, for `replaceAll`. */
export function secretSpellings(secret: string): RegExp | string {
  if (secret.length > LONGEST_SPELT) return secret
  const parts = secret.match(/\s+|[^\s]/gu) ?? []
  return new RegExp(parts.map(spellings).join(''), 'gu')
}

function spellings(part: string): string {
  if (/^[A-Za-z0-9]$/.test(part)) return part
  // Lines are joined, and white space made single, wherever a text is put on one line.
  if (/^\s/.test(part)) return '(?:\\s|\\\\[nrt]|%0[9ADad]|%20)+'
  const entity = ENTITIES[part]
  const written = [
    `\\\\?${part.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&')}`,
    `&#${part.codePointAt(0)};`,
    ...(entity === undefined ? [] : [entity]),
    ...(/[\ud800-\udfff]/u.test(part) ? [] : [inUrl(part)]),
  ]
  return `(?:${written.join('|')})\\u200b?`
}

function inUrl(part: string): string {
  const bytes = [...new TextEncoder().encode(part)].map(byte => byte.toString(16).padStart(2, '0'))
  return bytes.map(hex => `%${hex.replace(/[a-f]/g, digit => `[${digit}${digit.toUpperCase()}]`)}`).join('')
}
