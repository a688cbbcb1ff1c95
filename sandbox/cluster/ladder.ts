// Which Kubernetes cluster to use, decided from what was found: pure, so that its test is a table.

export interface ClusterFindings {
  /** A KUBECONFIG of the caller's own, and whether its cluster answers. */
  kubeconfig: 'none' | 'reachable' | 'unreachable'
  kubectl: boolean
  /** A Docker engine answers. */
  docker: boolean
  kind: boolean
  linux: boolean
  root: boolean
  /** Our own one-node cluster has state here already. */
  local: boolean
  /** A Kubernetes binary: built before, or named by HYPERKUBE. */
  hyperkube: boolean
  go: boolean
  /** The Debian packages of the one-node cluster are there or can be installed. */
  packages: boolean
}

export type ClusterChoice = { use: 'given' | 'kind' | 'local' } | { use: 'none'; message: string }

const noKubectl: ClusterChoice = {
  use: 'none',
  message: 'kubectl is missing. Install it (https://kubernetes.io/docs/tasks/tools; macOS: brew install kubectl)',
}

export function chooseCluster(found: ClusterFindings): ClusterChoice {
  if (found.kubeconfig !== 'none' && !found.kubectl) return noKubectl
  if (found.kubeconfig === 'reachable') return { use: 'given' }
  if (found.kubeconfig === 'unreachable')
    return {
      use: 'none',
      message: 'the cluster of KUBECONFIG does not answer. Start it, or unset KUBECONFIG to get a cluster of our own',
    }
  // A cluster that was made here before is kept, also when kind has come since.
  if (!found.local && found.docker && found.kind) return found.kubectl ? { use: 'kind' } : noKubectl
  if (!found.linux)
    return {
      use: 'none',
      message: found.docker
        ? 'kind is missing. Install it (macOS: brew install kind), or name a cluster by KUBECONFIG'
        : 'outside of Linux a cluster needs Docker and kind. Install both (macOS: brew install --cask docker && brew install kind) and start Docker, or name a cluster by KUBECONFIG',
    }
  if (!found.root)
    return {
      use: 'none',
      message:
        'the one-node cluster needs root. Run: sudo -E npm run sandbox -- up; or start Docker and install kind; or name a cluster by KUBECONFIG',
    }
  if (!found.hyperkube && !found.go)
    return {
      use: 'none',
      message:
        'Kubernetes has to be built once from its Go modules, and there is no Go. Install Go 1.24 or newer (https://go.dev/doc/install), or name a prebuilt binary by HYPERKUBE',
    }
  if (!found.packages)
    return { use: 'none', message: 'the one-node cluster needs packages that are missing and cannot be installed here' }
  return { use: 'local' }
}
