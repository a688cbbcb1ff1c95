// Check: every image of the release's new pods is in its registry, and can be pulled by the pod's own pull secrets where it has some.
import { formatReference, isDigest, readReference } from '../../image/reference.ts'
import { foreignLine } from '../../runner/foreign-text.ts'
import type { ImageResolution } from '../image-digests.ts'
import { containerImages } from '../images.ts'
import type { KubernetesObject } from '../objects.ts'
import type { Reading } from './cluster-reads.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { at, type Path, type PodTemplate, podTemplates, positionOf, recordAt } from './pod-templates.ts'
import { credentialsOf, pullSecretsOf } from './pull-secrets.ts'

/** Registries to which nodes bring credentials of their own (kubelet credential providers): a refused pull secret is not the last word there. */
const NODES_OWN_LOGIN = /(\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?|(^|\.)gcr\.io|\.pkg\.dev|\.azurecr\.(io|cn|us))$/

/** One image of one container, and what was found out about it. */
export interface ImageFacts {
  readonly image: string
  readonly container: string
  readonly policy: string
  /** What the runner sees. */
  readonly resolution: ImageResolution
  /** What each of the pod's own credentials for the registry sees. */
  readonly asPod: readonly { readonly secret: string; readonly resolution: ImageResolution }[]
  /** True where a node that can be seen has the image already, or the very same workload runs it now. */
  readonly onNode: boolean
}

export type ImageDecision =
  | { readonly fine: true }
  | { readonly finding: Pick<PreflightFinding, 'reason' | 'message' | 'mayYetArrive'> }
  | { readonly passedOver: string }
  /** Why it could not be found out. */
  | { readonly unknown: string }

const FINE: ImageDecision = { fine: true }

/** `where` is `container app of deployment/web`. */
export function decideImage(facts: ImageFacts, where: string): ImageDecision {
  const { policy, resolution, asPod } = facts
  const image = foreignLine(facts.image, 300)
  // It is to be on the node already, brought there by other means.
  if (policy === 'Never') return FINE
  if ('invalid' in resolution) {
    const message = `The image of ${where} can't be one: ${resolution.invalid}`
    return { finding: { reason: 'InvalidImageName', message, mayYetArrive: false } }
  }
  const registry = registryOf(facts.image)
  const seen = asPod.length === 0 ? [resolution] : asPod.map(({ resolution: own }) => own)
  if (seen.some(one => 'digest' in one)) return FINE
  // A node that has it need not ask the registry, unless it is told to.
  if (facts.onNode && policy !== 'Always') {
    return seen.some(one => 'missing' in one)
      ? { passedOver: `Image ${image} of ${where} is not in ${registry} any more; it runs only where a node still has it.` }
      : FINE
  }
  if (seen.some(one => 'missing' in one)) {
    const what = readReference(facts.image)?.digest === undefined ? 'tag' : 'digest'
    const message = `Image ${image} of ${where} does not exist: ${registry} has no such ${what}. Push it, or correct the reference.`
    return { finding: { reason: 'ErrImagePull', message, mayYetArrive: true } }
  }
  if (asPod.length > 0 && seen.every(one => 'unknown' in one && one.refused)) {
    const names = [...new Set(asPod.map(({ secret }) => secret))].join(', ')
    const refused = `${registry} refuses the pull secret of ${where} (${foreignLine(names)}) for image ${image}`
    if (NODES_OWN_LOGIN.test(registry)) return { passedOver: `${refused}; the nodes may have a login of their own.` }
    const message = `${refused}. Renew the Secret's credentials, or give them the right to pull.`
    return { finding: { reason: 'ErrImagePull', message, mayYetArrive: true } }
  }
  const why = seen.map(one => ('unknown' in one ? one.unknown : '')).find(text => text !== '') ?? ''
  return { unknown: why }
}

export async function checkImages(context: CheckContext): Promise<PreflightResult> {
  const templates = podTemplates(context.steps, context.namespace).filter(template => template.makesPods)
  const results = await Promise.all(templates.map(template => checkTemplate(context, template)))
  const unknown = Map.groupBy(
    results.flatMap(result => result.unknown),
    ({ why }) => why,
  )
  return {
    findings: results.flatMap(({ findings }) => findings),
    passedOver: [
      ...results.flatMap(({ passedOver }) => passedOver),
      ...[...unknown].map(([why, images]) => unknownSentence([...new Set(images.map(({ image }) => image))], why)),
    ],
  }
}

function unknownSentence(images: readonly string[], why: string): string {
  const names = images
    .slice(0, 3)
    .map(image => foreignLine(image, 200))
    .join(', ')
  const more = images.length > 3 ? ` and ${images.length - 3} more` : ''
  return `Whether image ${names}${more} can be pulled could not be found out: ${why}.`
}

async function checkTemplate(
  context: CheckContext,
  template: PodTemplate,
): Promise<PreflightResult & { readonly unknown: readonly { readonly image: string; readonly why: string }[] }> {
  const images = containerImages(template.object).filter(({ path }) => path.slice(0, -3).join('/') === template.path.join('/'))
  const pull = template.plain ? await pullSecretsOf(context, template) : { secrets: [], missing: [] }
  const findings: PreflightFinding[] = []
  const unknown: { image: string; why: string }[] = []
  const passedOver = pull.missing.map(
    name =>
      `${template.name} names the pull secret ${name} in namespace ${template.namespace}, which is not there: its images are pulled without it.`,
  )
  await Promise.all(
    images.map(async ({ image, container, path }) => {
      const below = path.slice(template.path.length)
      const where = `${container === '' ? '' : `container ${foreignLine(container, 60)} of `}${template.name}`
      const policy = policyOf(template, below, image)
      if (policy === 'Never' || image === '') return
      const reference = readReference(image)
      const own =
        reference === undefined
          ? []
          : pull.secrets.flatMap(secret =>
              credentialsOf(secret, reference).map(credentials => ({ name: secret.metadata.name, credentials })),
            )
      const [resolution, asPod] = await Promise.all([
        own.length > 0 ? UNASKED : context.images.resolve(image),
        Promise.all(
          own.map(async ({ name, credentials }, index) => ({
            secret: `secret/${name}`,
            resolution: await context.images.resolveAs(image, credentials, `${template.namespace}/${name}/${index}`),
          })),
        ),
      ])
      const troubled = [resolution, ...asPod.map(one => one.resolution)].every(one => !('digest' in one))
      const onNode = troubled && (runsNow(template, image) || isOn(await context.reads.nodes('all'), image))
      const decision = decideImage({ image, container, policy, resolution, asPod, onNode }, where)
      if ('unknown' in decision) unknown.push({ image, why: decision.unknown })
      if ('passedOver' in decision) passedOver.push(decision.passedOver)
      if ('finding' in decision) findings.push({ ...decision.finding, object: template.name, at: positionOf(template, below) })
    }),
  )
  return { findings, passedOver, unknown }
}

const UNASKED: ImageResolution = { unknown: '', refused: false }

/** Source of the default: Kubernetes documentation, Images, "Default image pull policy". */
function policyOf(template: PodTemplate, below: Path, image: string): string {
  const policy = recordAt(template.spec, below.slice(0, -1))?.['imagePullPolicy']
  if (typeof policy === 'string' && policy !== '') return policy
  const reference = readReference(image)
  return reference?.digest === undefined && (reference?.tag ?? 'latest') === 'latest' ? 'Always' : 'IfNotPresent'
}

function registryOf(image: string): string {
  return readReference(image)?.registry ?? ''
}

/** Whether some node says it has the image. Nodes name up to 50 of theirs; no right to see nodes counts as no. */
export function isOn(nodes: Reading<readonly KubernetesObject[]>, image: string): boolean {
  if ('unreadable' in nodes) return false
  const names = new Set(formsOf(image))
  return (nodes.found ?? []).some(node => imagesOf(node).some(name => formsOf(name).some(form => names.has(form))))
}

function imagesOf(node: KubernetesObject): readonly string[] {
  const images = at(node, ['status', 'images'])
  if (!Array.isArray(images)) return []
  return images.flatMap(image => {
    const names = recordAt(image, [])?.['names']
    return Array.isArray(names) ? names.filter(name => typeof name === 'string') : []
  })
}

/** `repository:tag`, or `repository@digest` where there is one: a node names an image both ways. */
function formsOf(image: string): readonly string[] {
  const reference = readReference(image)
  if (reference === undefined) return [image]
  const { registry, repository, tag = 'latest', digest } = reference
  return [
    formatReference(digest !== undefined && isDigest(digest) ? { registry, repository, digest } : { registry, repository, tag }),
  ]
}

/** The same image in the workload as it is live: it was pulled before, and where it was is no doubt of ours. */
function runsNow(template: PodTemplate, image: string): boolean {
  return [...(template.before?.initContainers ?? []), ...(template.before?.containers ?? [])].some(
    container => container.image === image,
  )
}
