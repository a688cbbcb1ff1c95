// `npm run demo`: from a commit to a verified release, and back, on real parts, then on a simulated ECS. Ends with 0 only when all ended as told.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { repositoryRoot } from '../scripts/action-file.ts'
import { ecsStory } from './ecs-story.ts'
import { type Chapter, page, type Story } from './page.ts'
import { playStep } from './play-step.ts'
import { type ProbeMetrics, startProbeMetrics } from './probe-metrics.ts'
import { ask, type ProbeTally, type ServiceProbe, startProbe } from './service-probe.ts'
import { bringUpSandbox, buildActions, resetNamespace, serviceUrl } from './setup.ts'
import { APP, type Known, story } from './story.ts'
import { type ToldOnEcs, tellOnEcs } from './tell-ecs.ts'
import { createTerminal, printable, type Terminal, table, terminalWidth, wrap } from './terminal.ts'
import type { Stretch } from './traffic-chart.ts'
import { checkOut, versions, writeHistory } from './versions.ts'

const USAGE = `usage: npm run demo -- [kubernetes] [ecs] [OPTION...]

Both parts unless one is named; ecs needs neither root nor cluster.

  --quiet            print the table at the end, nothing before it
  --namespace NAME   the namespace to remove and make anew; default deploy-actions-demo
  --report FILE      where the HTML page goes; default out/demo.html
`

class Cancelled extends Error {}

const PARTS = ['kubernetes', 'ecs'] as const
type Part = (typeof PARTS)[number]

interface Options {
  readonly parts: readonly Part[]
  readonly quiet: boolean
  readonly namespace: string
  readonly report: string
}

/** Undefined where only the usage was asked for. @throws Error for options that make no sense */
function readOptions(argv: readonly string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quiet: { type: 'boolean', short: 'q', default: false },
      namespace: { type: 'string', default: 'deploy-actions-demo' },
      report: { type: 'string', default: join(repositoryRoot, 'out', 'demo.html') },
    },
  })
  if (values.help) return undefined
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(values.namespace)) throw new Error('--namespace is no name of a namespace')
  if (/^(default|kube-.*)$/.test(values.namespace))
    throw new Error(`--namespace ${values.namespace}: the demo removes it first, so take another`)
  const unknown = positionals.find(name => !PARTS.some(part => part === name))
  if (unknown !== undefined) throw new Error(`there is no part "${unknown}"; there are ${PARTS.join(' and ')}`)
  const parts = PARTS.filter(part => positionals.length === 0 || positionals.includes(part))
  return { parts, quiet: values.quiet, namespace: values.namespace, report: resolve(values.report) }
}

interface Told {
  readonly chapters: readonly Chapter[]
  readonly stretches: readonly Stretch[]
  readonly tally: ProbeTally | undefined
}

/** Plays the story step by step, and stops at the first one that ends otherwise than told. */
async function tell(options: Options, terminal: Terminal, workspace: string, signal: AbortSignal): Promise<Told> {
  const say = (line: string): void => terminal.say(printable(line))
  const env = await bringUpSandbox(say, signal)
  await resetNamespace(options.namespace, env, say, signal)
  const commits = writeHistory(workspace)

  const outputs = new Map<string, Readonly<Record<string, string>>>()
  const chapters: Chapter[] = []
  const stretches: Stretch[] = []
  let probe: ServiceProbe | undefined
  let metrics: ProbeMetrics | undefined
  let known: Known = {
    namespace: options.namespace,
    registry: env['REGISTRY'] ?? '',
    baseImage: env['BASE_IMAGE'] ?? '',
    prometheus: env['PROMETHEUS_URL'] ?? '',
    url: '',
    outputs,
  }
  let checkedOut = ''
  try {
    for (const step of story) {
      signal.throwIfAborted()
      const change = versions.find(({ version }) => version === step.version)?.change ?? ''
      if (step.action === 'build-push') {
        terminal.heading(`Version ${step.version}: ${change}`)
        checkOut(workspace, step.version)
        checkedOut = step.version
      }
      const from = probe?.elapsed()
      const { version, action, title } = step
      const { chapter, outputs: given } = await playStep(
        { version, change, action, title, inputs: step.inputs(known), expects: step.expects(known) },
        {
          ...{ env, workspace, terminal, signal },
          github: { repository: `acme/${APP}`, sha: commits.get(checkedOut) ?? '', ref: `refs/tags/v${checkedOut}` },
        },
      )
      outputs.set(`${action} ${version}`, given)
      chapters.push(chapter)
      if (probe !== undefined)
        stretches.push({ name: `${step.version} ${step.action}`, from: from ?? 0, to: probe.elapsed(), red: chapter.red })
      signal.throwIfAborted()
      if (chapter.differences.length > 0) break
      if (probe === undefined && step.action === 'deploy-k8s') {
        known = { ...known, url: await serviceUrl(options.namespace, APP, env, signal) }
        await untilAnswers(known.url)
        metrics = await startProbeMetrics(env['PROMETHEUS_TARGETS'] ?? '', options.namespace)
        probe = startProbe(known.url, metrics.observe)
        terminal.say(`From here on the Service is asked 20 times a second: ${known.url}`, 2)
      } else if (probe !== undefined && step.action !== 'build-push') {
        const { requests, failures } = probe.tally()
        terminal.say(`Users so far: ${requests} requests, ${failures} failed`, 4, failures === 0 ? 'dim' : 'red')
      }
    }
  } finally {
    // Also when the user cancels: a timer of the probe would keep this process alive.
    await probe?.stop()
    metrics?.close()
  }
  return { chapters, stretches, tally: probe?.tally() }
}

const REACHED_WITHIN_MS = 10_000

/** @throws Error when this machine can't reach the Service, though its pods are ready */
async function untilAnswers(url: string): Promise<void> {
  const begun = performance.now()
  for (;;) {
    const answer = await ask(url)
    if (answer.kind === 'answered') return
    if (performance.now() - begun > REACHED_WITHIN_MS)
      throw new Error(
        `${url} does not answer this machine (${answer.why}), though its pods are ready. The cluster's nodes must be reachable from here.`,
      )
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

interface Judged {
  readonly verdict: string
  readonly asTold: boolean
}

function judgedOnKubernetes({ chapters, tally }: Told): Judged {
  const untold = story.length - chapters.length
  const otherwise = chapters.filter(chapter => chapter.differences.length > 0)
  const silent = tally === undefined || tally.requests === 0
  const faults = [
    ...otherwise.map(chapter => `${chapter.version} ${chapter.action} ended otherwise`),
    ...(untold === 0 ? [] : [`${untold} steps were not reached`]),
    ...(silent ? ['the Service was never reached'] : []),
    ...(tally !== undefined && tally.failures > 0 ? [`${tally.failures} of ${tally.requests} requests failed`] : []),
  ]
  const asTold = faults.length === 0
  const verdict = asTold
    ? 'Everything ended as told: two good versions were verified, three bad ones taken back, and the Service never stopped answering.'
    : `Not as told: ${faults.join('; ')}.`
  return { verdict, asTold }
}

function judgedOnEcs({ chapters, serving }: ToldOnEcs): Judged {
  const untold = ecsStory.length - chapters.length
  const faults = [
    ...chapters.filter(({ differences }) => differences.length > 0).map(({ version }) => `${version} ended otherwise`),
    ...(untold === 0 ? [] : [`${untold} versions were not reached`]),
  ]
  const asTold = faults.length === 0
  const verdict = asTold
    ? `On ECS two good versions took over, three bad ones were named and never stayed; ${serving} serves at the end.`
    : `Not as told on ECS: ${faults.join('; ')}.`
  return { verdict, asTold }
}

async function tellAll(options: Options, terminal: Terminal, workspace: string, signal: AbortSignal): Promise<Story> {
  terminal.heading('Setting up')
  await buildActions(line => terminal.say(printable(line)), signal)
  const told = options.parts.includes('kubernetes') ? await tell(options, terminal, workspace, signal) : undefined
  signal.throwIfAborted()
  const ecs = options.parts.includes('ecs') ? await tellOnEcs(terminal, workspace, signal) : undefined
  const judged = [...(told === undefined ? [] : [judgedOnKubernetes(told)]), ...(ecs === undefined ? [] : [judgedOnEcs(ecs)])]
  return {
    chapters: [...(told?.chapters ?? []), ...(ecs?.chapters ?? [])],
    stretches: told?.stretches ?? [],
    tally: told?.tally,
    verdict: judged.map(({ verdict }) => verdict).join(' '),
    asTold: judged.every(({ asTold }) => asTold),
    when: new Date(),
  }
}

function rowsOf({ chapters, tally, stretches }: Story): string[][] {
  const rows = chapters.map(chapter => [
    chapter.differences.length === 0 ? '✓' : '✗',
    `${chapter.version} ${chapter.action}`,
    chapter.verdict,
    chapter.cause,
    chapter.seconds.toFixed(1).padStart(7),
  ])
  if (tally === undefined) return rows
  const good = tally.failures === 0 && tally.requests > 0
  const cause = good ? `slowest ${Math.round(tally.slowestMs)} ms` : (tally.kept[0]?.why ?? 'no request')
  const last = stretches.at(-1)?.to ?? 0
  return [
    ...rows,
    [good ? '✓' : '✗', 'Service, all along', `${tally.failures} of ${tally.requests} failed`, cause, last.toFixed(1).padStart(7)],
  ]
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if (options === undefined) {
    process.stdout.write(USAGE)
    return 0
  }
  const terminal = createTerminal(options.quiet)
  const cancel = new AbortController()
  let cancelledAt = 0
  const onSignal = (): void => {
    // A terminal and npm may each send the same Ctrl-C.
    if (cancel.signal.aborted && Date.now() - cancelledAt > 1_000) process.exit(130)
    if (cancel.signal.aborted) return
    cancelledAt = Date.now()
    cancel.abort(new Cancelled('cancelled'))
    terminal.heading('Cancelled: the step under way puts back what it changed. Once more to end at once.')
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  const workspace = mkdtempSync(join(tmpdir(), 'deploy-actions-demo-'))
  process.on('exit', () => rmSync(workspace, { recursive: true, force: true }))

  const begun = performance.now()
  const told = await tellAll(options, terminal, workspace, cancel.signal)
  mkdirSync(dirname(options.report), { recursive: true })
  writeFileSync(options.report, page(told))

  terminal.heading(`The whole story took ${((performance.now() - begun) / 1_000).toFixed(0)} s`)
  terminal.always(table([['', 'step', 'verdict', 'cause', 'seconds'], ...rowsOf(told)], terminalWidth(), 3))
  const faults = told.chapters.flatMap(chapter =>
    chapter.differences.map(fault => `${chapter.version} ${chapter.action}: ${fault}`),
  )
  terminal.always(faults.flatMap(fault => wrap(printable(fault), terminalWidth())))
  terminal.always(['', ...wrap(told.verdict, terminalWidth(), '', ''), '', `All job summaries: ${pathToFileURL(options.report)}`])
  if (!options.parts.includes('kubernetes')) return told.asTold ? 0 : 1
  terminal.say(`Look around: eval "$(npm run -s sandbox -- status --env)"; kubectl -n ${options.namespace} get all`, 0)
  terminal.say('The sandbox stays up for the next run; npm run sandbox -- down ends it.', 0)
  return told.asTold ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  if (error instanceof Cancelled || (error instanceof Error && error.name === 'AbortError')) process.exitCode = 130
  else {
    process.stderr.write(`\nThe demo could not go on: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
// The actions' processes have ended by now; what a library left open is no reason to stay.
process.exit()
