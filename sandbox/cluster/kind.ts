// The cluster by kind, where Docker and kind are there. Its registry is a container on kind's network: a cluster inside
// Docker cannot reach a process on the host's loopback.
import { mustRun, run } from '../command.ts'
import { say, withSignOfLife } from '../progress.ts'
import { inDocker, registryAddress, registryContainer } from '../registry/registry.ts'
import { statePath, writeWhole } from '../state.ts'

const cluster = 'deploy-actions'
export const kindKubeconfig = (): string => statePath('cluster', 'kind.kubeconfig')

export async function kindUp(): Promise<void> {
  const clusters = (await mustRun(['kind', 'get', 'clusters'])).split('\n')
  if (clusters.includes(cluster)) {
    await mustRun(['kind', 'export', 'kubeconfig', '--name', cluster, '--kubeconfig', kindKubeconfig()])
  } else {
    const configuration = statePath('cluster', 'kind.yaml')
    writeWhole(
      configuration,
      `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
`,
    )
    const argv = [
      'kind',
      'create',
      'cluster',
      '--name',
      cluster,
      '--config',
      configuration,
      '--kubeconfig',
      kindKubeconfig(),
      '--wait',
      '120s',
    ]
    await withSignOfLife('cluster', () => 'kind is still making the cluster', mustRun(argv))
  }
  await inDocker()
  await run(['docker', 'network', 'connect', 'kind', registryContainer])
  const folder = `/etc/containerd/certs.d/${registryAddress}`
  for (const node of (await mustRun(['kind', 'get', 'nodes', '--name', cluster])).split('\n').filter(Boolean)) {
    await mustRun(['docker', 'exec', node, 'mkdir', '-p', folder])
    await mustRun(['docker', 'exec', '-i', node, 'cp', '/dev/stdin', `${folder}/hosts.toml`], {
      input: `[host."http://${registryContainer}:5000"]\n`,
    })
  }
  say('cluster', `ready by kind (cluster ${cluster})`)
}

export async function kindDown(): Promise<void> {
  await mustRun(['kind', 'delete', 'cluster', '--name', cluster])
}
