// The demo's one HTML page: the table, what users saw, and every step's job summary. No script, nothing from any network.
import { escapeHtml } from './escape-html.ts'
import { renderMarkdown } from './render-markdown.ts'
import type { ProbeTally } from './service-probe.ts'
import { drawTraffic, type Stretch } from './traffic-chart.ts'

/** One row of the table, and a step's part of the page. */
export interface Chapter {
  readonly version: string
  readonly change: string
  readonly action: string
  readonly title: string
  /** Whether the step's own end is red; a red end can be just what the story says. */
  readonly red: boolean
  /** What differs from the story; empty where nothing does. */
  readonly differences: readonly string[]
  readonly verdict: string
  readonly cause: string
  readonly seconds: number
  /** The job summary, Markdown. */
  readonly summary: string
  /** The step's own sentence on its end. */
  readonly message: string
  /** What the step printed, made readable. */
  readonly log: string
}

export interface Story {
  readonly chapters: readonly Chapter[]
  /** Undefined where the Service was never reached. */
  readonly tally: ProbeTally | undefined
  readonly stretches: readonly Stretch[]
  /** In one sentence: whether everything ended as it should. */
  readonly verdict: string
  readonly asTold: boolean
  readonly when: Date
}

export function page(story: Story): string {
  const { chapters, tally } = story
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>deploy-actions: the demo</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>From a commit to a verified release, and back</h1>
<p class="${story.asTold ? 'good' : 'bad'}">${escapeHtml(story.verdict)}</p>
<p class="soft">${escapeHtml(story.when.toISOString().slice(0, 16).replace('T', ' '))} UTC. The versions of one small service; a click on a step leads to its job summary.</p>
</header>
<main>
<div class="wide"><table class="steps">
<thead><tr><th>version</th><th>step</th><th>verdict</th><th>cause</th><th class="number">seconds</th></tr></thead>
<tbody>
${chapters.map(row).join('\n')}
</tbody>
</table></div>
${tally === undefined ? '' : traffic(tally, story.stretches)}
${chapters.map(section).join('\n')}
</main>
</body>
</html>
`
}

/** Whether it is the first step of its version: on ECS it is the only one. */
const begins = ({ action }: Chapter): boolean => action === 'build-push' || action === 'deploy-ecs'

function row(chapter: Chapter, index: number): string {
  const first = begins(chapter) ? escapeHtml(chapter.version) : ''
  const sign = chapter.differences.length > 0 ? ' <strong class="bad">not as told</strong>' : ''
  return (
    `<tr${first === '' ? '' : ' class="first"'}><td>${first}</td><td><a href="#step-${index + 1}">${escapeHtml(chapter.action)}</a></td>` +
    `<td><span class="badge ${chapter.red ? 'crit' : 'done'}">${escapeHtml(chapter.verdict)}</span>${sign}</td>` +
    `<td class="cause">${escapeHtml(chapter.cause)}${chapter.red ? `<br><span class="soft">${escapeHtml(chapter.message)}</span>` : ''}</td><td class="number">${chapter.seconds.toFixed(1)}</td></tr>`
  )
}

function traffic(tally: ProbeTally, stretches: readonly Stretch[]): string {
  const failures = tally.kept.map(({ at, why }) => `<li>at ${at.toFixed(1)} s: ${escapeHtml(why)}</li>`).join('')
  return `<section>
<h2>What users saw</h2>
<p>${tally.requests} requests, each on a fresh connection, 20 a second: <strong class="${tally.failures === 0 ? 'good' : 'bad'}">${tally.failures} failed</strong>. The slowest took ${Math.round(tally.slowestMs)} ms.${tally.silentSeconds === 0 ? '' : ` In ${tally.silentSeconds} s nothing was answered.`}</p>
${failures === '' ? '' : `<ul>${failures}</ul>`}
${drawTraffic(tally.seconds, stretches)}
</section>`
}

function section(chapter: Chapter, index: number): string {
  const faults = chapter.differences.map(fault => `<p class="bad">Not as told: ${escapeHtml(fault)}</p>`).join('')
  return `${begins(chapter) ? `<h2 class="version">${escapeHtml(chapter.version)} <span class="soft">${escapeHtml(chapter.change)}</span></h2>` : ''}
<section id="step-${index + 1}">
<h3>${escapeHtml(chapter.title)} <span class="badge ${chapter.red ? 'crit' : 'done'}">${escapeHtml(chapter.action)}</span></h3>
${faults}
<div class="summary">
${renderMarkdown(chapter.summary)}
</div>
<details><summary>The step's log</summary><pre><code>${escapeHtml(chapter.log)}</code></pre></details>
</section>`
}

const STYLE = `
:root { --text: #1c2330; --soft: #5d6778; --page: #f4f5f7; --card: #fff; --line: #d8dce3; --code: #f0f2f5; --link: #0b5cad;
  --done: #2c8a4b; --crit: #c93535; --active: #3b76c4; --on-bar: #fff; --ins: #e2f4e6; --del: #fbe6e6;
  --v1: #6c8ebf; --v2: #2c8a4b; --v3: #b07aa1; --v4: #e0912f; --v5: #76b7b2; --v6: #9c755f }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ef; --soft: #9aa5b6; --page: #12161d; --card: #1b212b; --line: #333c4a;
  --code: #232b37; --link: #7db6f2; --done: #3fa463; --crit: #e05a5a; --active: #5590de; --on-bar: #0d1117; --ins: #1b3a26; --del: #432225;
  --v1: #7f9fcc; --v2: #3fa463; --v3: #c394b6; --v4: #eaa552; --v5: #86c7c2; --v6: #b08a73 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.25rem; margin: 0 0 .5rem } h2.version { margin: 2.5rem 0 0 } h2.version .soft { font-weight: normal; font-size: 1rem }
h3 { font-size: 1.05rem; margin: 0 0 .75rem }
header p { margin: .25rem 0 }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 1rem 0 }
.summary h2, .summary h3, .summary h4, .summary h5 { font-size: 1rem; margin: 1.25rem 0 .5rem }
.summary > :first-child { margin-top: 0 }
.soft { color: var(--soft) } .good { color: var(--done) } .bad { color: var(--crit) }
a { color: var(--link) }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line) }
th { color: var(--soft); font-weight: 600 }
.summary td { min-width: 4rem } .summary td.long { min-width: 14rem; max-width: 30rem; overflow-wrap: anywhere }
.steps { width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 8px; border-collapse: separate; border-spacing: 0; margin: 1rem 0 }
.steps tr.first td { border-top: 2px solid var(--line) } .steps td:first-child { font-weight: 600 } .steps td { white-space: nowrap } .steps td.cause { white-space: normal }
.number { text-align: right; font-variant-numeric: tabular-nums }
.badge { display: inline-block; padding: 0 .5rem; border-radius: 1rem; font-size: .8rem; font-weight: 600; color: var(--on-bar); white-space: nowrap }
.badge.done { background: var(--done) } .badge.crit { background: var(--crit) }
code { font: .85em/1.5 ui-monospace, monospace; background: var(--code); border-radius: 3px; padding: .1em .3em }
pre { overflow-x: auto; background: var(--code); border-radius: 6px; padding: .75rem; margin: .5rem 0 } pre code { padding: 0; background: none }
ins { background: var(--ins); text-decoration: none } del { background: var(--del); text-decoration: none }
details { margin: .5rem 0 } summary { cursor: pointer; color: var(--link) }
.picture { overflow-x: auto } svg { display: block; width: 100%; min-width: 34rem; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: var(--text) } svg .axis { fill: var(--soft); font-size: 11px } svg .on-bar { fill: var(--on-bar); font-weight: 600 }
svg .grid { stroke: var(--line) }
svg .done, i.done { fill: var(--done) } svg .crit { fill: var(--crit) } svg .active { fill: var(--active) } svg .plain { fill: var(--soft) }
.legend { list-style: none; padding: 0; margin: .5rem 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; font-size: .85rem }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em } .legend .crit { background: var(--crit) }
${[1, 2, 3, 4, 5, 6].map(n => `svg .version-${n} { fill: var(--v${n}) } .legend .version-${n} { background: var(--v${n}) }`).join('\n')}
`
