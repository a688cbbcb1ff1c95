// The one-sided Mann-Whitney U test: how likely it is that values of one and the same kind fall apart this far by chance.
// It asks for no normal distribution, and an outlier counts as one value more, not as its size.

/** From this many values on, with ties or not, the normal approximation is within a few percent of the exact probability. */
const EXACT_BELOW = 25
/** A probability this far from any that decides need not be exact. */
const CLEARLY_CHANCE = 0.2

/**
 * The probability that values like `higher` come out at least this much above `lower` although both are of one kind. 1 when either is empty.
 * Ties share their ranks.
 */
export function probabilityOfChance(higher: readonly number[], lower: readonly number[]): number {
  const [n, m] = [higher.length, lower.length]
  if (n === 0 || m === 0) return 1
  const { doubled, tieTerm } = ranks(higher, lower)
  const sum = doubled.slice(0, n).reduce((total, rank) => total + rank, 0) / 2
  const u = sum - (n * (n + 1)) / 2
  const size = n + m
  const variance = ((n * m) / 12) * (size + 1 - tieTerm / (size * (size - 1)))
  if (variance <= 0) return 1
  const approximate = upperTail((u - (n * m) / 2 - 0.5) / Math.sqrt(variance))
  return size >= EXACT_BELOW || approximate > CLEARLY_CHANCE ? approximate : exact(doubled, n)
}

/** Twice the mid-ranks, first those of `higher`: whole numbers, ties or not. */
function ranks(higher: readonly number[], lower: readonly number[]): { doubled: number[]; tieTerm: number } {
  const all = [...higher, ...lower]
  const order = all.map((_, index) => index).sort((a, b) => (all[a] ?? 0) - (all[b] ?? 0))
  const doubled = new Array<number>(all.length).fill(0)
  let tieTerm = 0
  for (let from = 0; from < order.length; ) {
    let to = from
    while (to + 1 < order.length && all[order[to + 1] ?? 0] === all[order[from] ?? 0]) to++
    for (let index = from; index <= to; index++) doubled[order[index] ?? 0] = from + to + 2
    const tied = to - from + 1
    tieTerm += tied ** 3 - tied
    from = to + 1
  }
  return { doubled, tieTerm }
}

/** The share of all ways to deal the ranks out in which the first `n` get at least as much: exact, also with ties. */
function exact(doubled: readonly number[], n: number): number {
  const observed = doubled.slice(0, n).reduce((total, rank) => total + rank, 0)
  const most = doubled.reduce((total, rank) => total + rank, 0)
  // ways[k][s]: how many sets of k ranks have the sum s.
  const ways = Array.from({ length: n + 1 }, () => new Float64Array(most + 1))
  const none = ways[0]
  if (none !== undefined) none[0] = 1
  for (const rank of doubled)
    for (let k = n; k >= 1; k--) {
      const [into, from] = [ways[k], ways[k - 1]]
      if (into === undefined || from === undefined) continue
      for (let sum = most; sum >= rank; sum--) into[sum] = (into[sum] ?? 0) + (from[sum - rank] ?? 0)
    }
  const counts = ways[n] ?? new Float64Array()
  let [total, above] = [0, 0]
  counts.forEach((count, sum) => {
    total += count
    if (sum >= observed) above += count
  })
  return total === 0 ? 1 : above / total
}

/** 1 - Φ(z), by Abramowitz and Stegun's 7.1.26: wrong by less than 1.5e-7. */
function upperTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
  const tail = (polynomial * Math.exp(-x * x)) / 2
  return z >= 0 ? tail : 1 - tail
}
