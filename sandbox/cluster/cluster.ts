// The Kubernetes cluster: one that is given, or kind's, or our own one-node cluster.
import { resolve } from 'node:path'
import { findProgram, run } from '../command.ts'
import { canHave, isThere, means, missingMessage } from '../packages.ts'
import { say } from '../progress.ts'
import { readJson, statePath, updateEnvironment, writeWhole } from '../state.ts'
import { goProgram } from '../tools/go.ts'
import { hasHyperkube } from './hyperkube.ts'
import { kindDown, kindKubeconfig, kindUp } from './kind.ts'
import { type ClusterChoice, type ClusterFindings, chooseCluster } from './ladder.ts'
import { clusterRequirements, hasLocalState, localDown, localKubeconfig, localUp } from './local.ts'

const chosenPath = (): string => statePath('cluster', 'chosen.json')

/** A KUBECONFIG of the caller's own; not the one that an earlier `up` told the caller's shell. */
function givenKubeconfig(): string | undefined {
  const given = process.env['KUBECONFIG']
  return !given || [localKubeconfig(), kindKubeconfig()].includes(resolve(given)) ? undefined : given
}

async function findOut(): Promise<ClusterFindings> {
  const given = givenKubeconfig()
  const kubectl = findProgram('kubectl')
  const [reached, engine] = await Promise.all([
    given && kubectl
      ? run([kubectl, '--kubeconfig', given, '--request-timeout=10s', 'get', '--raw', '/readyz'], { timeout: 15_000 })
      : undefined,
    dockerAnswers(),
  ])
  return {
    kubeconfig: !given ? 'none' : reached?.code === 0 ? 'reachable' : 'unreachable',
    kubectl: kubectl !== undefined,
    docker: engine,
    kind: findProgram('kind') !== undefined,
    linux: process.platform === 'linux',
    root: means().root,
    local: hasLocalState(),
    hyperkube: hasHyperkube(),
    go: goProgram() !== undefined,
    packages: clusterRequirements.every(canHave),
  }
}

/** Whether a Docker engine answers to the docker client on PATH. */
export async function dockerAnswers(): Promise<boolean> {
  if (!findProgram('docker')) return false
  return (await run(['docker', 'version', '--format', '{{.Server.Version}}'], { timeout: 10_000 })).code === 0
}

let chosen: Promise<ClusterChoice> | undefined

/** Which cluster this machine gets; asked once, for the registry depends on it too. */
export function clusterChoice(): Promise<ClusterChoice> {
  chosen ??= findOut().then(chooseCluster)
  return chosen
}

export async function clusterUp(): Promise<void> {
  const choice = await clusterChoice()
  if (choice.use === 'none') {
    const missing = clusterRequirements.filter(requirement => !isThere(requirement))
    throw new Error(
      means().root && missing.length > 0 && !means().apt
        ? `${choice.message}: ${missingMessage(missing, means())}`
        : choice.message,
    )
  }
  writeWhole(chosenPath(), JSON.stringify(choice))
  if (choice.use === 'given') {
    const kubeconfig = givenKubeconfig()
    say(
      'cluster',
      `using the cluster of KUBECONFIG=${kubeconfig}. Its nodes must reach the registry on 127.0.0.1:5000 by themselves`,
    )
    updateEnvironment({ KUBECONFIG: kubeconfig })
  } else if (choice.use === 'kind') {
    await kindUp()
    updateEnvironment({ KUBECONFIG: kindKubeconfig() })
  } else {
    await localUp()
    updateEnvironment({ KUBECONFIG: localKubeconfig() })
  }
}

export async function clusterDown(): Promise<void> {
  const choice = readJson<ClusterChoice>(chosenPath())
  if (choice?.use === 'kind') await kindDown()
  else if (process.platform === 'linux') await localDown()
  updateEnvironment({ KUBECONFIG: undefined })
}
