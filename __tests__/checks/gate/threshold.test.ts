import { describe, expect, test } from '@jest/globals'
import { formatThreshold, formatValue, holds, parseThreshold, type Unit } from '../../../src/checks/gate/threshold.ts'

describe('a threshold', () => {
  test.each<[string, Unit | undefined, object]>([
    ['< 0.05', undefined, { comparison: '<', value: 0.05, unit: 'number' }],
    ['<0.05', 'ratio', { comparison: '<', value: 0.05, unit: 'ratio' }],
    ['< 5%', undefined, { comparison: '<', value: 0.05, unit: 'ratio' }],
    ['< 5 %', 'percent', { comparison: '<', value: 5, unit: 'percent' }],
    ['> 95%', undefined, { comparison: '>', value: 0.95, unit: 'ratio' }],
    ['<= 10s', undefined, { comparison: '<=', value: 10, unit: 's' }],
    ['< 500ms', undefined, { comparison: '<', value: 0.5, unit: 's' }],
    ['< 500ms', 'ms', { comparison: '<', value: 500, unit: 'ms' }],
    ['< 1.5s', 'ms', { comparison: '<', value: 1_500, unit: 'ms' }],
    ['< 2', 's', { comparison: '<', value: 2, unit: 's' }],
    ['>= -3', undefined, { comparison: '>=', value: -3, unit: 'number' }],
    ['< 1e3', undefined, { comparison: '<', value: 1_000, unit: 'number' }],
    ['< 0.5%', 'number', { comparison: '<', value: 0.005, unit: 'number' }],
  ])('%j in %s', (text, unit, threshold) => {
    const { value, ...rest } = parseThreshold(text, unit)
    expect({ ...rest, value: Number(value.toPrecision(12)) }).toEqual(threshold)
  })

  test.each<[string, Unit | undefined, RegExp]>([
    ['5%', undefined, /"5%" does not begin with <, <=, > or >=/],
    ['= 5', undefined, /does not begin with/],
    ['< ', undefined, /does not begin with/],
    ['< five', undefined, /"five" is no number, percentage or duration/],
    ['< 5 apples', undefined, /is no number/],
    ['< 5%', 's', /is a share, and unit says s/],
    ['< 5s', 'ratio', /is a duration, and unit says ratio/],
    ['< NaN', undefined, /is no number/],
    ['< Infinity', undefined, /is no number/],
    ['< 5 < 6', undefined, /is no number/],
  ])('%j in %s is none', (text, unit, fault) => {
    expect(() => parseThreshold(text, unit)).toThrow(fault)
  })

  test.each<[number, string, boolean]>([
    [5, '< 5', false],
    [5, '<= 5', true],
    [5, '> 5', false],
    [5, '>= 5', true],
    [Number.NaN, '< 5', false],
    [Number.NaN, '> 5', false],
  ])('%d %s: %s', (value, text, good) => {
    expect(holds(value, parseThreshold(text))).toBe(good)
  })

  test.each<[number, Unit, string]>([
    [0.0312, 'ratio', '3.12 %'],
    [5, 'percent', '5 %'],
    [0.25, 's', '250 ms'],
    [1.25, 's', '1.25 s'],
    [1_500, 'ms', '1.5 s'],
    [20, 'ms', '20 ms'],
    [0, 'ratio', '0 %'],
    [12_345.6, 'number', '12346'],
    [0.012345, 'number', '0.0123'],
    [Number.POSITIVE_INFINITY, 's', 'infinite'],
  ])('%d as %s is written %s', (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text)
  })

  test('is written as it is read', () => {
    expect(formatThreshold(parseThreshold('< 500ms'))).toBe('< 500 ms')
  })
})
