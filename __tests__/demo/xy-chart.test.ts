import { describe, expect, test } from '@jest/globals'
import { drawXyChart, parseXyChart } from '../../demo/xy-chart.ts'
import { valueChart } from '../../src/checks/gate/chart.ts'
import { measured, query } from '../checks/gate/gates.ts'

const chart = (signs: string): string | undefined => valueChart(query({ name: 'errors "of" <web>;#' }), measured(signs))
const inside = (markdown = ''): string => markdown.replace(/^```mermaid\n|\n```$/g, '')

describe('the chart of a query', () => {
  test('has its values and its limit, and can be drawn', () => {
    const text = inside(chart('ggb'))
    expect(text).toBe(
      [
        'xychart-beta',
        '    title "errors  of   web   "',
        '    x-axis ["0:00", "0:10", "0:20"]',
        '    y-axis "%" 0 --> 8.8',
        '    line [1, 1, 8]',
        '    line [5, 5, 5]',
      ].join('\n'),
    )
    expect(parseXyChart(text)).toMatchObject({
      unit: '%',
      bottom: 0,
      top: 8.8,
      labels: ['0:00', '0:10', '0:20'],
      lines: [
        [1, 1, 8],
        [5, 5, 5],
      ],
    })
  })

  test('what has no value is not drawn, and one value is no line', () => {
    expect(inside(chart('gnfb'))).toContain('x-axis ["0:00", "0:30"]')
    expect(chart('g')).toBeUndefined()
    expect(chart('nnn')).toBeUndefined()
  })

  test('of many values the worst are drawn', () => {
    const text = inside(chart(`${'g'.repeat(50)}b${'g'.repeat(49)}`))
    expect(parseXyChart(text)?.labels.length).toBeLessThanOrEqual(16)
    expect(parseXyChart(text)?.lines[0]).toContain(8)
  })

  test.each(['', 'gantt', 'xychart-beta\n title "x"', 'xychart-beta\ntitle "x"\nx-axis ["a"]\ny-axis "%" 0 --> 1\nline [<b>]'])(
    '%j is no chart',
    text => {
      expect(parseXyChart(text)).toBeUndefined()
    },
  )

  test('is drawn as text that is none of HTML', () => {
    const drawn = drawXyChart({ title: '<script>', labels: ['<b>', 'b'], unit: '<i>', bottom: 0, top: 1, lines: [[0, 1]] })
    expect(drawn).not.toMatch(/<(script|b|i)>/)
    expect(drawn).toContain('<polyline')
  })
})
