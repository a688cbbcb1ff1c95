// Check: the storage classes of the release's new claims exist, or there are volumes of that class (or without class) to be had.
import { foreignLine } from '../../runner/foreign-text.ts'
import { type KubernetesObject, objectName } from '../objects.ts'
import type { Step } from '../steps.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { at, objectsToBe, type Path, recordAt, toBe } from './pod-templates.ts'

interface NewClaim {
  readonly step: Step
  /** Empty: a volume without class is wanted. Undefined: the default class, or where there is none, a volume without class. */
  readonly storageClass: string | undefined
  readonly path: Path
  readonly reason: string
}

/** Claims that the release makes. One that names its volume needs no class, and a claim that is there already has been looked at when it was made. */
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
  const storageClass = spec?.['storageClassName'] ?? undefined
  if ((storageClass !== undefined && typeof storageClass !== 'string') || typeof spec?.['volumeName'] === 'string') return []
  return [{ step, storageClass, path, reason }]
}

export async function checkClaims(context: CheckContext): Promise<PreflightResult> {
  const findings = await Promise.all(
    newClaims(context.steps).map(claim =>
      claim.storageClass === undefined || claim.storageClass === ''
        ? checkWithoutClass(claim, context)
        : checkClass(claim, claim.storageClass, context),
    ),
  )
  return { findings: findings.flat(), passedOver: [] }
}

async function checkClass(
  { step, path, reason }: NewClaim,
  storageClass: string,
  { steps, reads }: CheckContext,
): Promise<readonly PreflightFinding[]> {
  const objects = objectsToBe(steps)
  const declares = ({ kind, metadata }: KubernetesObject): boolean => kind === 'StorageClass' && metadata.name === storageClass
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
}

const DEFAULT_CLASS = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']

/** Nothing makes a volume for a claim without class: one must be there, and free. */
async function checkWithoutClass(
  { step, storageClass, path, reason }: NewClaim,
  { steps, reads }: CheckContext,
): Promise<readonly PreflightFinding[]> {
  const objects = objectsToBe(steps)
  if (objects.some(object => isVolumeOf(object, ''))) return []
  if (storageClass === undefined) {
    const isDefault = ({ kind, metadata }: KubernetesObject): boolean =>
      kind === 'StorageClass' && DEFAULT_CLASS.some(name => metadata.annotations?.[name] === 'true')
    const classes = await reads.list('StorageClass', '')
    if ('unreadable' in classes) return []
    if ([...(classes.found ?? []), ...objects].some(isDefault)) return []
  }
  const volumes = await reads.list('PersistentVolume', '')
  if ('unreadable' in volumes) return []
  const isFree = (volume: KubernetesObject): boolean => isVolumeOf(volume, '') && at(volume, ['status', 'phase']) !== 'Bound'
  if ((volumes.found ?? []).some(isFree)) return []
  const name = objectName(step.body)
  const why =
    storageClass === undefined ? 'names no storage class, the cluster has no default one' : 'wants a volume without class'
  return [
    {
      reason: reason === 'ProvisioningFailed' ? 'FailedBinding' : reason,
      message: `${name} ${why}, and no PersistentVolume without class is free. Name a StorageClass of the cluster in storageClassName, or make the volume.`,
      object: name,
      at: step.position(path),
      mayYetArrive: true,
    },
  ]
}

function isVolumeOf(object: KubernetesObject, storageClass: string): boolean {
  return object.kind === 'PersistentVolume' && (at(object, ['spec', 'storageClassName']) ?? '') === storageClass
}
