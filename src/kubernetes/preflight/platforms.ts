// Check: the images of the release's new pods are built for the platform of the nodes that can take them. A warning: a node may emulate another one.
import { foreignLine } from '../../runner/foreign-text.ts'
import { containerImages } from '../images.ts'
import type { CheckContext, PreflightResult, PreflightWarning } from './finding.ts'
import { isScheduled, nodesFor } from './nodes.ts'
import { type PodTemplate, podTemplates, positionOf } from './pod-templates.ts'

/** What is wrong with an image that is built for `built`, on nodes of these platforms; undefined where one of them fits, or nothing is known. */
export function platformWarning(
  image: string,
  where: string,
  built: readonly string[],
  nodes: readonly string[],
): string | undefined {
  if (built.length === 0 || nodes.length === 0 || nodes.some(platform => built.includes(platform))) return undefined
  const list = (platforms: readonly string[]): string => foreignLine(platforms.toSorted().join(', '), 200)
  return `Image ${foreignLine(image, 300)} of ${where} is built for ${list(built)}, and the nodes that can take its pods are ${list(nodes)}: it will not start there ("exec format error"). Build it for ${list(nodes)} too.`
}

export async function checkPlatforms(context: CheckContext): Promise<PreflightResult> {
  const templates = podTemplates(context.steps, context.namespace).filter(
    template => template.makesPods && template.changed && template.plain && isScheduled(template),
  )
  const warnings = await Promise.all(templates.map(template => warningsOf(context, template)))
  return { findings: [], passedOver: [], warnings: warnings.flat() }
}

async function warningsOf(context: CheckContext, template: PodTemplate): Promise<readonly PreflightWarning[]> {
  const nodes = await nodesFor(context, template)
  if (nodes === undefined || nodes.length === 0) return []
  const platforms = [
    ...new Set(
      nodes.flatMap(({ status }) => {
        const { operatingSystem = '', architecture = '' } = status?.nodeInfo ?? {}
        return operatingSystem === '' || architecture === '' ? [] : [`${operatingSystem}/${architecture}`]
      }),
    ),
  ]
  const images = containerImages(template.object).filter(({ path }) => path.slice(0, -3).join('/') === template.path.join('/'))
  const warnings = await Promise.all(
    images.map(async ({ image, container, path }): Promise<readonly PreflightWarning[]> => {
      if (!('digest' in (await context.images.resolve(image)))) return []
      const where = `${container === '' ? '' : `container ${foreignLine(container, 60)} of `}${template.name}`
      const message = platformWarning(image, where, await context.images.platforms(image), platforms)
      return message === undefined ? [] : [{ message, at: positionOf(template, path.slice(template.path.length)) }]
    }),
  )
  return warnings.flat()
}
