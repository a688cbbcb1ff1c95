// Durations as inputs write them (`90s`, `10m`, `1h30m`) and as people read them.

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
const LONGEST_MS = 24 * 3_600_000

/** Milliseconds of `90s`, `10m`, `1h30m`, `500ms` or `0s`; undefined when the text is no duration or longer than a day. */
export function parseDuration(text: string): number | undefined {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== text.trim()) return undefined
  const total = parts.reduce((sum, part) => sum + Number(part[1]) * (UNITS[part[2] ?? ''] ?? Number.NaN), 0)
  return total <= LONGEST_MS ? total : undefined
}

/** `0.4 s`, `12 s`, `1 m 30 s`, `1 h 5 m` from milliseconds. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60), seconds % 60]
  return [hours > 0 ? `${hours} h` : '', minutes > 0 ? `${minutes} m` : '', hours === 0 && rest > 0 ? `${rest} s` : '']
    .filter(part => part !== '')
    .join(' ')
}
