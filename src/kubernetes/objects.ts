// Kubernetes objects as the API server sends them, and the two ways of naming one.

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** Who set which fields last, as server-side apply keeps the books. */
export interface ManagedFields {
  readonly manager?: string
  readonly operation?: string
  readonly apiVersion?: string
  readonly time?: string
  readonly subresource?: string
  readonly fieldsType?: string
  readonly fieldsV1?: Record<string, unknown>
}

export interface ObjectMeta {
  name: string
  /** Absent on objects that belong to the whole cluster. */
  namespace?: string
  uid?: string
  /** Opaque: may be handed back to the server, never compared for order. */
  resourceVersion?: string
  /** Counts changes of the spec. */
  generation?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  /** RFC 3339, whole seconds, the server's clock. */
  creationTimestamp?: string
  /** When the object is to be gone at the latest; present only while it is being deleted. */
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  managedFields?: ManagedFields[]
  finalizers?: string[]
  generateName?: string
}

/** Any object of any kind; what is beside its name is for the reader of that kind to look at. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [key: string]: unknown
}

/** `deployment/web`, as kubectl names it and people read it. */
export function objectName(object: Pick<KubernetesObject, 'kind' | 'metadata'>): string {
  return `${object.kind.toLowerCase()}/${object.metadata.name}`
}

/**
 * `apps/Deployment/default/web`: the same for every version of the API in which the object is written, since an object is one whatever
 * version it is read in. The group is empty for the core API, the namespace for objects of the whole cluster.
 */
export function objectKey(object: Pick<KubernetesObject, 'apiVersion' | 'kind' | 'metadata'>): string {
  return `${groupOf(object.apiVersion)}/${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

/** `apps` of `apps/v1`, empty of `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? '' : apiVersion.slice(0, slash)
}
