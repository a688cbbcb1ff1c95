// Good releases: against kubectl on the same cluster, from the last Ready to the start of stable-for, and of what is live already.
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import type { Pod } from 'kubernetes-types/core/v1.js'
import { BenchNamespace, documents, sleeper, type TimedDeploy } from './bench-namespace.ts'
import { type Measurement, median, spread } from './measurement.ts'
import { Observer, type Recording } from './observer.ts'

const ROUNDS_OF_ONE = 7
const ROUNDS_OF_SEVERAL = 11
const SEVERAL = 5
const REPLICAS = 2

interface Watched {
  readonly deployments: Recording<Deployment>
  readonly pods: Recording<Pod>
}

export async function measureReleases(): Promise<Measurement[]> {
  const namespace = await BenchNamespace.create()
  const observer = await Observer.start(namespace.env)
  try {
    const watched = {
      deployments: await observer.watch<Deployment>(`/apis/apps/v1/namespaces/${namespace.name}/deployments`),
      pods: await observer.watch<Pod>(`/api/v1/namespaces/${namespace.name}/pods`),
    }
    return [
      ...(await againstKubectl(namespace, watched, 1, ROUNDS_OF_ONE)),
      ...(await againstKubectl(namespace, watched, SEVERAL, ROUNDS_OF_SEVERAL)),
      ...(await unchanged(namespace)),
    ]
  } finally {
    observer.stop()
    await namespace.remove()
  }
}

/** Updates of `count` Deployments, by the action and by kubectl in turn, each its own ones of the same shape. */
async function againstKubectl(
  namespace: BenchNamespace,
  watched: Watched,
  count: number,
  rounds: number,
): Promise<Measurement[]> {
  const manifests = (whose: string, version: number): string =>
    documents(
      ...Array.from({ length: count }, (_, index) =>
        sleeper({ name: `${whose}-${count}-${index}`, version, replicas: REPLICAS }),
      ),
    )
  const times = { ours: [] as number[], kubectl: [] as number[] }
  const runs: TimedDeploy[] = []
  const byAction = async (version: number): Promise<void> => {
    const deploy = await namespace.deploy(`bench-${count}`, manifests('ours', version))
    if (deploy.result.outputs['result'] !== 'deployed') throw new Error(`not deployed:\n${deploy.result.output}`)
    if (version === 0) return
    times.ours.push(deploy.ended - deploy.begun)
    runs.push(deploy)
  }
  const byKubectl = async (version: number): Promise<void> => {
    const time = await namespace.applyAndWait(`kubectl-${count}.yml`, manifests('kubectl', version))
    if (version > 0) times.kubectl.push(time)
  }
  // The first version is for both to have something to update; then each goes first as often as the other.
  for (let version = 0; version <= rounds; version++) {
    const order = version % 2 === 0 ? [byAction, byKubectl] : [byKubectl, byAction]
    for (const contender of order) {
      await contender(version)
      await settled(namespace)
    }
  }
  const ratio: Measurement = {
    name: `${workloads(count)} updated, to kubectl apply + rollout status`,
    value: median(times.ours) / median(times.kubectl),
    unit: 'x',
    atMost: count === 1 ? 1.1 : 1,
    note: `${inSeconds(times.ours)} to ${inSeconds(times.kubectl)}`,
  }
  return count === 1 ? [ratio, ...fromReady(runs, watched), ...ofOneStep(runs)] : [ratio]
}

/** What one contender leaves to be ended is not to be the other one's burden. */
async function settled(namespace: BenchNamespace): Promise<void> {
  for (let tries = 0; tries < 60; tries++) {
    const pods = await namespace.kubectl(['get', 'pods', '-o', 'jsonpath={.items[*].metadata.deletionTimestamp}'])
    if (pods.trim() === '') break
    await new Promise(resolve => setTimeout(resolve, 300))
  }
  await new Promise(resolve => setTimeout(resolve, 500))
}

const workloads = (count: number): string => `${count} ${count === 1 ? 'Deployment' : 'Deployments'}`

const inSeconds = (times: readonly number[]): string =>
  `${(median(times) / 1_000).toFixed(2)} s (${spread(
    times.map(time => time / 1_000),
    2,
  )})`

/** The line that says all is ready is printed in the same turn in which stable-for starts. */
function fromReady(runs: readonly TimedDeploy[], { deployments, pods }: Watched): Measurement[] {
  const fromLastReady: number[] = []
  const fromComplete: number[] = []
  for (const run of runs) {
    const start = run.instantOf(new RegExp(`ours-1-0: ${REPLICAS}/${REPLICAS} ready$`, 'm'))
    if (start === undefined) throw new Error(`nothing says that all is ready:\n${run.result.output}`)
    const during = <T>(recording: Recording<T>) => recording.changes(run.begun).filter(change => change.at <= run.ended)
    const created = new Set(during(pods).flatMap(({ type, object }) => (type === 'ADDED' ? (object.metadata?.uid ?? []) : [])))
    const firstReady = new Map<string, number>()
    for (const { at, object } of during(pods)) {
      const uid = object.metadata?.uid ?? ''
      const ready = object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
      if (created.has(uid) && ready === true && !firstReady.has(uid)) firstReady.set(uid, at)
    }
    const lastReady = Math.max(...firstReady.values())
    const complete = during(deployments).find(({ at, object }) => at >= lastReady && isComplete(object))
    fromLastReady.push(start - lastReady)
    fromComplete.push(start - (complete?.at ?? Number.NaN))
  }
  return [
    {
      name: 'from the last Ready to the start of stable-for',
      value: median(fromLastReady),
      unit: 'ms',
      atMost: 300,
      note: spread(fromLastReady, 0),
    },
    {
      name: 'of which after the Deployment itself says so',
      value: median(fromComplete),
      unit: 'ms',
      note: `${spread(fromComplete, 0)}; the rest is the cluster's controllers`,
    },
  ]
}

/** As `kubectl rollout status` counts. */
export function isComplete({ metadata, spec, status }: Deployment): boolean {
  const wanted = spec?.replicas ?? 1
  return (
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0) &&
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted
  )
}

function ofOneStep(runs: readonly TimedDeploy[]): Measurement[] {
  const connected = runs.map(run => (run.instantOf(/^Deploying /m) ?? Number.NaN) - run.begun)
  const memory = runs.map(run => run.peakMegabytes)
  return [
    { name: 'from exec until connected to the cluster', value: median(connected), unit: 'ms', note: spread(connected, 0) },
    { name: 'memory of the step, one Deployment', value: median(memory), unit: 'MB', note: spread(memory, 0) },
  ]
}

async function unchanged(namespace: BenchNamespace): Promise<Measurement[]> {
  const manifests = sleeper({ name: 'ours-1-0', version: ROUNDS_OF_ONE, replicas: REPLICAS })
  const theirs = sleeper({ name: 'kubectl-1-0', version: ROUNDS_OF_ONE, replicas: REPLICAS })
  const times = { ours: [] as number[], kubectl: [] as number[] }
  for (let round = 0; round < ROUNDS_OF_ONE; round++) {
    const deploy = await namespace.deploy('bench-1', manifests)
    if (deploy.result.outputs['result'] !== 'unchanged') throw new Error(`not unchanged:\n${deploy.result.output}`)
    times.ours.push(deploy.ended - deploy.begun)
    times.kubectl.push(await namespace.applyAndWait('kubectl-1.yml', theirs))
  }
  return [
    {
      name: 'unchanged release',
      value: median(times.ours) / 1_000,
      unit: 's',
      atMost: 1.5,
      note: `${inSeconds(times.ours)}; kubectl ${inSeconds(times.kubectl)}`,
    },
  ]
}
