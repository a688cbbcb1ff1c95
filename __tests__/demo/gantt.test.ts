import { describe, expect, test } from '@jest/globals'
import { drawGantt, parseGantt, ticksUpTo } from '../../demo/gantt.ts'
import { timeline } from '../../src/report/timeline.ts'

const HEAD = 'gantt\n    dateFormat x\n    axisFormat %M:%S\n'

describe('a gantt chart', () => {
  test('is read as lanes of tasks', () => {
    expect(
      parseGantt(`${HEAD}    section deployment/web\n    waiting a bit :active, 1, 1250\n    odd :1250, 1300\n    section b\n`),
    ).toEqual([
      {
        name: 'deployment/web',
        tasks: [
          { name: 'waiting a bit', state: 'active', from: 1, to: 1250 },
          { name: 'odd', state: 'plain', from: 1250, to: 1300 },
        ],
      },
      { name: 'b', tasks: [] },
    ])
  })

  test.each([
    ['another diagram', 'flowchart TD\n  A --> B'],
    ['no task', `${HEAD}    section a`],
    ['a task before any section', `${HEAD}    x :done, 1, 2`],
    ['a date instead of milliseconds', `${HEAD}    section a\n    x :done, 2026-01-01, 3d`],
    ['a click', `${HEAD}    section a\n    x :done, 1, 2\n    click x href "https://example.com"`],
    ['nothing', ''],
  ])('is left alone: %s', (_, text) => {
    expect(parseGantt(text)).toBeUndefined()
  })

  test('every timeline that a deployment writes is understood', () => {
    const markdown = timeline([
      { workload: 'deployment/web:1;#', state: 'progressing', from: 0.4, to: 900.2 },
      { workload: 'deployment/web:1;#', state: 'CrashLoopBackOff', from: 900.2, to: 2_000 },
      { workload: 'job/a', state: 'healthy', from: 3, to: 2_000 },
    ])
    const chart = /```mermaid\n([\s\S]*?)\n```/.exec(markdown)?.[1] ?? ''
    expect(parseGantt(chart)?.map(lane => lane.tasks.map(task => `${task.state} ${task.from}-${task.to}`))).toEqual([
      ['active 0-900', 'crit 900-2000'],
      ['done 3-2000'],
    ])
  })

  test('is drawn with every name escaped, and no bar thinner than can be seen', () => {
    const drawing = drawGantt([
      {
        name: '<a&b>',
        tasks: [
          { name: '"x"<script>', state: 'crit', from: 0, to: 1 },
          { name: 'y', state: 'done', from: 1, to: 100_000 },
        ],
      },
    ])
    expect(drawing).toContain('&lt;a&amp;b&gt;')
    expect(drawing).not.toMatch(/<script|<a&/)
    expect(drawing).toContain('<rect class="crit" x="150" y="4" width="1.5"')
  })

  test.each([
    [0.5, [0, 0.1, 0.2, 0.3, 0.4, 0.5]],
    [7, [0, 1, 2, 3, 4, 5, 6, 7]],
    [19, [0, 5, 10, 15]],
    [100, [0, 15, 30, 45, 60, 75, 90]],
    [9_000, [0, 1_200, 2_400, 3_600, 4_800, 6_000, 7_200, 8_400]],
  ])('has round ticks up to %p s', (end, ticks) => {
    expect(ticksUpTo(end)).toEqual(ticks)
  })
})
