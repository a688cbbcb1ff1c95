// Check: the storage classes of the release's new claims exist, or there are volumes of that class to be had.
import { foreignLine } from '../../runner/foreign-text.ts'
import { type KubernetesObject, objectName } from '../objects.ts'
import type { Step } from '../steps.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { at, objectsToBe, type Path, recordAt, toBe } from './pod-templates.ts'

interface NewClaim {
  readonly step: Step
  readonly storageClass: string
  readonly path: Path
  readonly reason: string
}

/**
 * Claims that the release makes and that name a class. One that names none takes the default class or a volume without class, one that names its
 * volume needs no class, and a claim that is there already has been looked at when it was made.
 */
export function newClaims(steps: readonly Step[]): readonly NewClaim[] {
  return steps.flatMap((step): readonly NewClaim[] => {
    if (step.action === 'delete' || step.live !== undefined) return []
    const object = toBe(step)
    if (object.kind === 'PersistentVolumeClaim')
      return claim(step, recordAt(object, ['spec']), ['spec', 'storageClassName'], 'ProvisioningFailed')
    const templates = at(object, ['spec', 'volumeClaimTemplates'])
    if (object.kind !== 'StatefulSet' || !Array.isArray(templates)) return []
    return templates.flatMap((template, index) =>
      claim(
        step,
        recordAt(template, ['spec']),
        ['spec', 'volumeClaimTemplates', index, 'spec', 'storageClassName'],
        'Unschedulable',
      ),
    )
  })
}

function claim(step: Step, spec: Record<string, unknown> | undefined, path: Path, reason: string): readonly NewClaim[] {
  const storageClass = spec?.['storageClassName']
  if (typeof storageClass !== 'string' || storageClass === '' || typeof spec?.['volumeName'] === 'string') return []
  return [{ step, storageClass, path, reason }]
}

export async function checkClaims({ steps, reads }: CheckContext): Promise<PreflightResult> {
  const objects = objectsToBe(steps)
  const findings = await Promise.all(
    newClaims(steps).map(async ({ step, storageClass, path, reason }): Promise<readonly PreflightFinding[]> => {
      const declares = ({ kind, metadata }: KubernetesObject): boolean =>
        kind === 'StorageClass' && metadata.name === storageClass
      if (objects.some(declares) || objects.some(object => isVolumeOf(object, storageClass))) return []
      const reading = await reads.metadata('StorageClass', '', storageClass)
      if ('unreadable' in reading || reading.found !== undefined) return []
      // A class's name alone also brings claims and volumes made by hand together.
      const volumes = await reads.list('PersistentVolume', '')
      if ('unreadable' in volumes || (volumes.found ?? []).some(volume => isVolumeOf(volume, storageClass))) return []
      const name = objectName(step.body)
      return [
        {
          reason,
          message: `${name} wants storage of class ${foreignLine(storageClass, 200)}, and the cluster has no such StorageClass and no PersistentVolume of it. Correct storageClassName, or leave it out for the default class.`,
          object: name,
          at: step.position(path),
          mayYetArrive: false,
        },
      ]
    }),
  )
  return { findings: findings.flat(), passedOver: [] }
}

function isVolumeOf(object: KubernetesObject, storageClass: string): boolean {
  return object.kind === 'PersistentVolume' && at(object, ['spec', 'storageClassName']) === storageClass
}
