// Runs one scenario by deploy-k8s's built bundle, and looks at what came of it.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseAllDocuments, stringify } from 'yaml'
import { sandboxEnvironment, sandboxVariables } from '../../../sandbox/index.ts'
import { parseReference } from '../../../src/image/reference.ts'
import { Registry } from '../../../src/image/registry.ts'
import type { KubernetesApi } from '../../../src/kubernetes/api.ts'
import { type ActionResult, runAction } from '../../harness/run-action.ts'
import { type Probe, probe } from '../test-namespace.ts'
import { RegistryStandIn } from './registry-stand-in.ts'
import type { Happening, Scenario } from './scenario.ts'
import { eventually, type Inventory, ScenarioCluster } from './scenario-cluster.ts'
import { baseImage, type Fields, service } from './workloads.ts'

export interface ScenarioRun {
  readonly step: ActionResult
  /** From the start of the step until its verdict: of a failure before anything is put back, of a good release its end. */
  readonly verdictSeconds: number
  readonly before: Inventory
  readonly after: Inventory
  /** What is not as it is meant to be at the end, of the version that must be live then. */
  readonly faults: readonly string[]
  /** What was to happen meanwhile and did not, for the step had ended before. */
  readonly missed: readonly string[]
  readonly probed: Probe | undefined
  /** What the Service answers at the end. */
  readonly served: string | undefined
}

/** More than any failure's grace: it must never be what ends a release. */
const TIMEOUT = '120s'
const LIVE_WITHIN_MS = 60_000
/** Many scenarios at once on a busy machine: slow is not lost. */
const ANSWER_WITHIN_MS = 15_000
/** Of good releases, in place of 10 s. Bad ones are found with what a user has by default. */
const STABLE_FOR = '5s'

export async function runScenario(scenario: Scenario, api: KubernetesApi): Promise<ScenarioRun> {
  const namespace = `scenario-${randomUUID().slice(0, 8)}`
  const cluster = new ScenarioCluster(api, namespace)
  const workspace = mkdtempSync(join(tmpdir(), 'scenario-'))
  const { REGISTRY } = sandboxEnvironment()
  const registry = scenario.registry === undefined ? undefined : await RegistryStandIn.away(REGISTRY)
  const filled = <T>(value: T): T => fill(value, { $NAMESPACE: namespace, $REGISTRY: registry?.address ?? REGISTRY })
  const { given = [], live = [], liveBy, liveReplicas, release, inputs, meanwhile = [], must } = filled(withoutPatterns(scenario))
  const abandoned = new AbortController()

  const deploy = (
    manifests: readonly Fields[] | Readonly<Record<string, string>>,
    more: Readonly<Record<string, string>>,
    onOutput?: (text: string) => void,
  ): Promise<ActionResult> => {
    const files = isList(manifests) ? { 'release.yaml': manifests.map(object => stringify(object)).join('---\n') } : manifests
    for (const [name, content] of Object.entries(files)) writeFileSync(join(workspace, name), content)
    return runAction({
      action: 'deploy-k8s',
      inputs: { app: 'shop', namespace, manifests: Object.keys(files).join('\n'), timeout: TIMEOUT, ...more },
      env: sandboxVariables(),
      workspace,
      ...(onOutput === undefined ? {} : { onOutput }),
    })
  }

  try {
    await cluster.create()
    if (scenario.registry === 'private') await registry?.open('private')
    for (const object of given) await cluster.apply(object)
    if (liveBy !== undefined) for (const object of live) await cluster.applyByHand(object)
    else if (live.length > 0) {
      const { outputs } = await deploy(live, { 'stable-for': '0s' })
      if (outputs['result'] !== 'deployed') throw new Error(`what was to be live before is not: ${outputs['message']}`)
    }
    if (liveBy !== 'sick')
      await eventually(
        'what was to be live before',
        LIVE_WITHIN_MS,
        async () => (await faultsOf(cluster, live, 0, liveReplicas)).length === 0,
      )
    const before = await cluster.inventory()
    const oldPods = new Set((await cluster.pods('web')).map(({ metadata }) => metadata.name))

    const address = scenario.probed === true ? await addressOf(cluster) : undefined
    const asking = address === undefined ? undefined : probe(address, ANSWER_WITHIN_MS)
    const changing = Promise.withResolvers<void>()
    const happenings = meanwhile.map(async happening => {
      if (happening.from !== 'start') await changing.promise
      await pause(happening.at * 1_000, undefined, { signal: abandoned.signal })
      await happen(happening, cluster, oldPods, registry)
    })
    const happened = Promise.allSettled(happenings)
    let output = ''
    const stable = 'deploy' in must ? { 'stable-for': STABLE_FOR } : {}
    const step = await deploy(release, { ...stable, ...inputs }, text => {
      output += text
      if (/^Release k8s:/m.test(output)) changing.resolve()
    })
    changing.resolve()
    abandoned.abort()
    const missed = (await happened).flatMap(end => (end.status === 'rejected' ? [String(end.reason)] : []))

    const after = await cluster.inventory()
    const expected = 'deploy' in must ? objectsOf(release) : live
    const lookAgain = (): Promise<readonly string[]> =>
      'deploy' in must ? faultsOf(cluster, expected, must.staysOld, must.replicas) : faultsOf(cluster, expected, 0, liveReplicas)
    // The pods of what was pruned are for the garbage collector.
    if (inputs?.['prune'] === 'true' && 'deploy' in must)
      await eventually('the pods that were pruned to be gone', 10_000, async () => (await lookAgain()).length === 0)
    const faults = await lookAgain()
    const served = address === undefined ? undefined : (await (await fetch(address)).text()).trim()
    return { step, verdictSeconds: verdictSeconds(step), before, after, faults, missed, probed: await asking?.stop(), served }
  } finally {
    abandoned.abort()
    registry?.close()
    await cluster.remove()
    rmSync(workspace, { recursive: true, force: true })
  }
}

function verdictSeconds({ lines, seconds }: ActionResult): number {
  const said = lines.find(({ text }) => /^Failed after /.test(text))
  return said === undefined ? seconds : said.at / 1_000
}

async function faultsOf(
  cluster: ScenarioCluster,
  objects: readonly Fields[],
  staysOld = 0,
  replicas?: number,
): Promise<readonly string[]> {
  const faults = await Promise.all(objects.map(object => cluster.faultOf(object, staysOld, replicas)))
  return faults.filter(fault => fault !== '')
}

/** The address of the Service `web`; a node's kube-proxy leads there. */
async function addressOf(cluster: ScenarioCluster): Promise<string> {
  const live = await cluster.get(service())
  const address = `http://${(live?.['spec'] as { clusterIP?: string } | undefined)?.clusterIP}/`
  await eventually('the Service web', 10_000, async () =>
    fetch(address, { signal: AbortSignal.timeout(1_000) }).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  return address
}

async function happen(
  happening: Happening,
  cluster: ScenarioCluster,
  oldPods: ReadonlySet<string>,
  registry: RegistryStandIn | undefined,
): Promise<void> {
  if ('apply' in happening) for (const object of happening.apply) await cluster.apply(object)
  else if ('patch' in happening) await cluster.patch(happening.of, happening.patch, happening.subresource)
  else if ('remove' in happening) await cluster.delete(happening.remove)
  else if ('pod' in happening) await cluster.disturb(happening.pod, oldPods)
  else if ('pushTag' in happening) await pushTag(happening.pushTag)
  else await registry?.open('public')
}

/** The base image under one more tag. */
async function pushTag(tag: string): Promise<void> {
  const { registry, repository, tag: base = 'latest' } = parseReference(baseImage())
  const there = new Registry({ registry, repository })
  const manifest = await there.manifest(base)
  if (manifest === undefined) throw new Error('the base image is gone')
  await there.tag(manifest, tag)
}

function objectsOf(release: Scenario['release']): readonly Fields[] {
  if (isList(release)) return release
  const documents = Object.values(release).flatMap(text => parseAllDocuments(text).map(document => document.toJS() as Fields))
  return documents.flatMap(document => (document['kind'] === 'List' ? (document['items'] as readonly Fields[]) : document))
}

function isList(manifests: Scenario['release']): manifests is readonly Fields[] {
  return Array.isArray(manifests)
}

/** A pattern does not survive being written as JSON, and holds nothing to be filled in. */
function withoutPatterns(scenario: Scenario): Scenario {
  return 'names' in scenario.must ? { ...scenario, must: { ...scenario.must, names: /(?:)/ } } : scenario
}

function fill<T>(value: T, words: Readonly<Record<string, string>>): T {
  let text = JSON.stringify(value)
  for (const [word, content] of Object.entries(words)) text = text.replaceAll(word, content)
  return JSON.parse(text) as T
}
