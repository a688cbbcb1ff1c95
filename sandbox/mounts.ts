// Mount points below a folder, to be cleared when what mounted them is gone.
import { readFileSync } from 'node:fs'

/** Mount points in a folder, deepest first, out of the lines of /proc/mounts, where a space is written \040. */
export function parseMounts(mounts: string, folder: string): string[] {
  return mounts
    .split('\n')
    .map(line =>
      (line.split(' ')[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter(point => point.startsWith(`${folder}/`))
    .sort()
    .reverse()
}

export function mountsUnder(folder: string): string[] {
  try {
    return parseMounts(readFileSync('/proc/mounts', 'utf8'), folder)
  } catch {
    return []
  }
}
