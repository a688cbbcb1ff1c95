// What the bench measures, and how it is shown: one line a measurement, with its bound where there is one.

export interface Measurement {
  readonly name: string
  readonly value: number
  /** Written after the number: `ms`, `s`, `MB`, `x` for a ratio. */
  readonly unit: string
  /** The value may be this at most. Without it the number is told for information. */
  readonly atMost?: number
  /** What the number was made of. */
  readonly note?: string
}

const DIGITS: Readonly<Record<string, number>> = { ms: 0, MB: 0, kB: 0, s: 2, x: 2 }

export function isMissed({ value, atMost }: Measurement): boolean {
  return atMost !== undefined && !(value <= atMost)
}

/** The middle value, or the mean of the two in the middle. NaN for nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** `1.9 to 2.6 in 5 runs` */
export function spread(values: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map(value => value.toFixed(digits))
  return `${least} to ${most} in ${values.length} runs`
}

function written(value: number, unit: string): string {
  return Number.isFinite(value) ? `${value.toFixed(DIGITS[unit] ?? 2)} ${unit}` : 'none'
}

export function table(measurements: readonly Measurement[]): string {
  const rows = measurements.map(measurement => [
    measurement.name,
    written(measurement.value, measurement.unit),
    measurement.atMost === undefined ? '' : written(measurement.atMost, measurement.unit),
    measurement.atMost === undefined ? '' : isMissed(measurement) ? 'MISSED' : 'ok',
    measurement.note ?? '',
  ])
  const all = [['name', 'value', 'at most', 'verdict', 'made of'], ...rows]
  const widths = [0, 1, 2, 3].map(column => Math.max(...all.map(row => (row[column] ?? '').length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return all.map(line).join('\n')
}
