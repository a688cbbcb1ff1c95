import { describe, expect, test } from '@jest/globals'
import { probabilityOfChance } from '../../../src/checks/gate/mann-whitney.ts'

const to = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index)

describe('the probability that it came by chance', () => {
  test.each<[string, number[], number[], number, number]>([
    // All above: 1 of all ways to choose n of n + m.
    ['3 above 3', to(3, 10), to(3), 1 / 20, 1e-12],
    ['5 above 5', to(5, 10), to(5), 1 / 252, 1e-12],
    ['10 above 10', to(10, 10), to(10), 1 / 184_756, 1e-12],
    // U = 8 of 9: two of 20 ways are as far or farther.
    ['one changed place', [10, 11, 2.5], [1, 2, 3], 2 / 20, 1e-12],
    ['nothing known', [1, 2], [], 1, 0],
    ['no value', [], [1, 2], 1, 0],
    ['all alike', [1, 1, 1, 1], [1, 1, 1, 1], 1, 0],
    // Ties, counted out: of the 10 ways to choose 2 of {1, 1, 2, 2, 2}, 3 have both from the 2s.
    ['ties', [2, 2], [1, 1, 2], 3 / 10, 1e-12],
    // U = 700: z = (700 - 450 - 0.5) / sqrt(30 * 30 / 12 * (61 - 120 / (60 * 59))) = 3.6897.
    ['30 against 30, a third shifted', to(30, 11), to(30, 1), 0.000_112_242, 2e-7],
    ['below is the other way round', to(10), to(10, 10), 1, 1e-3],
  ])('%s', (_, higher, lower, probability, within) => {
    expect(Math.abs(probabilityOfChance(higher, lower) - probability)).toBeLessThanOrEqual(within)
  })

  test('of the same kind it says "worse at 99 %" one time in a hundred, and no more', () => {
    let state = 1
    const next = (): number => {
      state = (state * 48_271) % 2_147_483_647
      return state / 2_147_483_647
    }
    let [wrong, runs] = [0, 2_000]
    for (let run = 0; run < runs; run++) if (probabilityOfChance(to(10).map(next), to(10).map(next)) <= 0.01) wrong++
    expect(wrong / runs).toBeLessThan(0.015)
  })
})
