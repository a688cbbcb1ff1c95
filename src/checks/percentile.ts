// Percentiles of measured times.

/** The nearest-rank percentile: the smallest value that at least `percent` of all values do not exceed. Undefined without values. */
export function percentile(values: readonly number[], percent: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1]
}
