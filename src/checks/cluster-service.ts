// A Service in a cluster as its API server lets it be asked: by a path of its own, beside which the same server answers for all of the cluster.

/** The host that is named where the road is a unix socket: it plays no part. */
const ORIGIN = 'http://localhost'

export interface ClusterService {
  readonly namespace: string
  /** Where all its own addresses are, a slash at the end. */
  readonly prefix: string
  /** `k8s://namespace/service:port`, for people. */
  readonly shown: string
}

/** `k8s://namespace/service:port/path`; `https:service:port` where the service speaks TLS, as the API server has it. */
const ADDRESS =
  /^k8s:\/\/([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\/((?:https?:)?[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?:[a-z0-9-]{1,63})(\/[^?#]*)?(\?[^#]*)?$/

/** Undefined for what is no address in a cluster. The URL may lead out of the Service by its path: see isOf. */
export function readClusterAddress(text: string): { readonly service: ClusterService; readonly url: URL } | undefined {
  const [, namespace, name = '', path = '/', query = ''] = ADDRESS.exec(text) ?? []
  if (namespace === undefined) return undefined
  const prefix = `/api/v1/namespaces/${namespace}/services/${name}/proxy/`
  const service = { namespace, prefix, shown: `k8s://${namespace}/${name}` }
  return { service, url: new URL(`${ORIGIN}${prefix}${path.slice(1)}${query}`) }
}

/** A way up that the URL itself has left in the path, for whoever decodes it later. */
const WAY_UP = /(?:\/|%2f|%5c)(?:\.|%2e){2}(?:\/|%2f|%5c|$)/i

/** Whether it is the Service that answers there. Any other path is the API server's own, and asked with the rights of whoever deploys. */
export function isOf({ prefix }: Pick<ClusterService, 'prefix'>, { origin, pathname }: URL): boolean {
  return origin === ORIGIN && pathname.startsWith(prefix) && !WAY_UP.test(pathname)
}

/** An address of the Service as the Service itself sees it: it knows nothing of its prefix. */
export function inItsEyes({ prefix }: ClusterService, url: URL): URL {
  return new URL(`${ORIGIN}/${url.pathname.slice(prefix.length)}${url.search}`)
}

/**
 * Where an address leads that the Service has named: with its prefix, which the API server adds to `Location`, or as the Service sees it.
 * Undefined: to another host.
 */
export function namedBy({ prefix }: ClusterService, url: URL): URL | undefined {
  if (url.origin !== ORIGIN) return undefined
  return url.pathname.startsWith(prefix) ? url : new URL(`${ORIGIN}${prefix}${url.pathname.slice(1)}${url.search}`)
}
