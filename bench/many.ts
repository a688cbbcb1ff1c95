// Many Deployments in one step: what the step adds to the time that the slowest of them needs, and kubectl for the same.
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import { BenchNamespace, documents, sleeper } from './bench-namespace.ts'
import { FakeNode } from './fake-node.ts'
import { type Measurement, median, spread } from './measurement.ts'
import { Observer } from './observer.ts'
import { isComplete } from './release.ts'

const COUNT = 50
const ROUNDS = 3
/** More than the pods that one node takes: on a fake node. */
const CROWD = 200

export async function measureMany(): Promise<Measurement[]> {
  const ratios: number[] = []
  const afterLast: number[] = []
  const times = { ours: [] as number[], kubectl: [] as number[] }
  const memory: number[] = []
  const byAction = async (): Promise<void> => {
    const { ours, slowest, sinceLast, peak } = await inNamespace(namespace => deployMany(namespace, manifests(COUNT), COUNT))
    ratios.push(ours / slowest)
    afterLast.push(sinceLast)
    times.ours.push(ours)
    memory.push(peak)
  }
  const byKubectl = async (): Promise<void> => {
    times.kubectl.push(await inNamespace(namespace => namespace.applyAndWait('many.yml', manifests(COUNT))))
  }
  for (let round = 0; round < ROUNDS; round++)
    for (const contender of round % 2 === 0 ? [byAction, byKubectl] : [byKubectl, byAction]) await contender()
  return [
    {
      name: `${COUNT} Deployments in one step, to the slowest one's own time`,
      value: median(ratios),
      unit: 'x',
      atMost: 1.2,
      note: `step ${seconds(times.ours)}; ${spread(ratios, 2)}`,
    },
    {
      name: `${COUNT} Deployments: from the last one available to the end of the step`,
      value: median(afterLast),
      unit: 'ms',
      note: spread(afterLast, 0),
    },
    {
      name: `${COUNT} Deployments, to kubectl apply + rollout status`,
      value: median(times.ours) / median(times.kubectl),
      unit: 'x',
      atMost: 1,
      note: `${seconds(times.ours)} to ${seconds(times.kubectl)}`,
    },
    { name: `memory of the step, ${COUNT} Deployments`, value: median(memory), unit: 'MB', atMost: 200, note: spread(memory, 0) },
  ]
}

/** The same with 200, whose pods run on a fake node; once, for the controllers' own rate limits make it long. */
export async function measureCrowd(): Promise<Measurement[]> {
  const { ours, slowest, sinceLast, untilFirst, applying, peak } = await inNamespace(async namespace => {
    const node = await FakeNode.start(namespace.name, namespace.env)
    try {
      return await deployMany(namespace, manifests(CROWD, node.pod), CROWD)
    } finally {
      await namespace.kubectl(['delete', 'deployments', '--all', '--cascade=foreground', '--timeout=120s'])
      await node.stop()
    }
  })
  return [
    {
      name: `${CROWD} Deployments in one step, to the slowest one's own time`,
      value: ours / slowest,
      unit: 'x',
      atMost: 1.1,
      note: `step ${seconds([ours])}, of which until the first is created ${seconds([untilFirst])}, until the last ${seconds([applying])} more`,
    },
    { name: `${CROWD} Deployments: from the last one available to the end of the step`, value: sinceLast, unit: 'ms' },
    { name: `memory of the step, ${CROWD} Deployments`, value: peak, unit: 'MB', atMost: 200 },
  ]
}

const seconds = (values: readonly number[]): string => `${(median(values) / 1_000).toFixed(2)} s`

const manifests = (count: number, pod: Readonly<Record<string, unknown>> = {}): string =>
  documents(...Array.from({ length: count }, (_, index) => sleeper({ name: `many-${index}`, version: 1, replicas: 1, pod })))

interface Run {
  /** From exec to the end of the step, without stable-for (0 s). In ms, as everything here. */
  readonly ours: number
  /** The longest that one Deployment took from its creation to being available, as the observer saw it. */
  readonly slowest: number
  readonly sinceLast: number
  /** From exec to the first Deployment in the API: connecting, planning, the dry run. */
  readonly untilFirst: number
  /** From the first Deployment in the API to the last. */
  readonly applying: number
  readonly peak: number
}

async function deployMany(namespace: BenchNamespace, objects: string, count: number): Promise<Run> {
  const observer = await Observer.start(namespace.env)
  try {
    const deployments = await observer.watch<Deployment>(`/apis/apps/v1/namespaces/${namespace.name}/deployments`)
    const deploy = await namespace.deploy('many', objects)
    if (deploy.result.outputs['result'] !== 'deployed') throw new Error(`not deployed:\n${deploy.result.output}`)
    const created = new Map<string, number>()
    const available = new Map<string, number>()
    for (const { at, object } of deployments.changes()) {
      const name = object.metadata?.name ?? ''
      if (!created.has(name)) created.set(name, at)
      if (isComplete(object) && !available.has(name)) available.set(name, at)
    }
    if (available.size < count) throw new Error(`only ${available.size} of ${count} Deployments were seen available`)
    return {
      ours: deploy.ended - deploy.begun,
      slowest: Math.max(...[...available].map(([name, at]) => at - (created.get(name) ?? Number.NaN))),
      untilFirst: Math.min(...created.values()) - deploy.begun,
      applying: Math.max(...created.values()) - Math.min(...created.values()),
      sinceLast: deploy.ended - Math.max(...available.values()),
      peak: deploy.peakMegabytes,
    }
  } finally {
    observer.stop()
  }
}

/** Each run has the node to itself: the next one begins when the last one's pods are gone. */
async function inNamespace<T>(run: (namespace: BenchNamespace) => Promise<T>): Promise<T> {
  const namespace = await BenchNamespace.create()
  try {
    return await run(namespace)
  } finally {
    await namespace.kubectl(['delete', 'deployments', '--all', '--cascade=foreground', '--timeout=120s'])
    await namespace.remove()
  }
}
