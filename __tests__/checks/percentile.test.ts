import { expect, test } from '@jest/globals'
import { percentile } from '../../src/checks/percentile.ts'

test.each([
  [[], 95, undefined],
  [[7], 95, 7],
  [[3, 1, 2], 50, 2],
  [[1, 2, 3, 4], 50, 2],
  [Array.from({ length: 100 }, (_, index) => index + 1), 95, 95],
  [Array.from({ length: 20 }, (_, index) => index + 1), 95, 19],
  [[10, 9], 100, 10],
  [[10, 9], 0, 9],
])('of %j the %i th percentile is %j', (values, percent, expected) => {
  expect(percentile(values, percent)).toBe(expected)
})
