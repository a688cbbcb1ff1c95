// Check: what the release's new pods refer to is live, or comes with the release.
import { foreignLine } from '../../runner/foreign-text.ts'
import type { KubernetesObject } from '../objects.ts'
import { keysOf, type Reading } from './cluster-reads.ts'
import type { CheckContext, PreflightFinding, PreflightResult } from './finding.ts'
import { liveMakers, makerOf } from './makers.ts'
import { podReferences, type Reference } from './pod-references.ts'
import { at, objectsToBe, type PodTemplate, podTemplates, positionOf } from './pod-templates.ts'
import { declaredObject } from './pull-secrets.ts'

/** Whether what is referred to is there; `keys` are those of a Secret or ConfigMap. */
export type Presence = 'there' | 'going' | 'missing' | 'unreadable' | { readonly lacksKeyOf: readonly string[] }

interface Use {
  readonly template: PodTemplate
  readonly reference: Reference
}

/** Made by people and operators at any time, so that they may arrive a moment later; a class is installed once for the whole cluster. */
const MAY_ARRIVE = new Set(['Secret', 'ConfigMap', 'ServiceAccount', 'PersistentVolumeClaim'])

export interface Makers {
  /** An object of the release that is taken to make it: it cannot be there before the release is. */
  readonly ofRelease: string | undefined
  /** A live object that is taken to make it. */
  readonly live: string | undefined
}

/** What one reference comes to. Undefined: nothing is wrong. */
export function decideReference(
  { template, reference }: Use,
  presence: Presence,
  makers: Makers,
): { readonly finding: PreflightFinding } | { readonly passedOver: string } | undefined {
  // What can't be read is told once for all of its kind, by the reads themselves.
  if (presence === 'there' || presence === 'unreadable') return undefined
  const { kind, key, where, reason } = reference
  const name = `${kind} ${foreignLine(reference.name, 200)}`
  const place = MAY_ARRIVE.has(kind) ? ` in namespace ${template.namespace}` : ''
  const user = `${template.name} (${foreignLine(where, 200)})`
  const what =
    presence === 'missing'
      ? `${name} is neither in the release nor${place === '' ? ' in the cluster' : place}`
      : presence === 'going'
        ? `${name}${place} is being deleted`
        : `${name}${place} has no key "${foreignLine(key ?? '', 120)}"${keysThereAre(kind, presence.lacksKeyOf)}`
  if (makers.ofRelease !== undefined && presence !== 'going')
    return { passedOver: `${what}; ${makers.ofRelease} of this release is taken to make it, for ${user}.` }
  const maker = makers.live === undefined ? '' : ` ${makers.live} is to make it and has not yet.`
  const advice = adviceFor(kind, presence)
  return {
    finding: {
      reason,
      message: `${user} needs what is not there: ${what}.${maker} ${advice}`,
      object: template.name,
      at: positionOf(template, reference.path),
      mayYetArrive: MAY_ARRIVE.has(kind),
    },
  }
}

function adviceFor(kind: string, presence: Presence): string {
  if (typeof presence === 'object') return `Add the key, or correct its name.`
  if (presence === 'going') return 'Wait until it is gone and make it anew, or name another.'
  const optional = kind === 'Secret' || kind === 'ConfigMap' ? ', or mark the reference optional: true' : ''
  return `Create it, add it to the manifests, or correct the name${optional}.`
}

/** Key names of a Secret are no secret, but foreign text. */
function keysThereAre(kind: string, keys: readonly string[]): string {
  if (keys.length === 0) return ` (the ${kind} is empty)`
  const shown = keys.slice(0, 10).map(key => foreignLine(key, 80))
  return ` (it has ${shown.join(', ')}${keys.length > shown.length ? ', ...' : ''})`
}

export async function checkReferences(context: CheckContext): Promise<PreflightResult> {
  const templates = podTemplates(context.steps, context.namespace).filter(template => template.makesPods && template.plain)
  const own = new Set(templates.flatMap(ownClaims))
  const uses = templates
    .flatMap(template => podReferences(template.spec).map(reference => ({ template, reference })))
    .filter(({ template, reference }) => !own.has(`${template.namespace}/${reference.kind}/${reference.name}`))
  const withKeys = new Set(uses.filter(({ reference }) => reference.key !== undefined).map(nameOf))
  const all = await Promise.all(
    uses.map(async use => ({ use, presence: await presenceOf(context, use, withKeys.has(nameOf(use))) })),
  )
  const absent = all.filter(({ presence }) => presence !== 'there' && presence !== 'unreadable')
  const objects = objectsToBe(context.steps)
  const namespaces = [...new Set(absent.map(({ use }) => use.template.namespace))]
  const live = new Map(
    await Promise.all(namespaces.map(async namespace => [namespace, await liveMakers(context.reads, namespace)] as const)),
  )
  const decisions = absent.map(({ use, presence }) => {
    const { kind, name } = use.reference
    const made = MAY_ARRIVE.has(kind)
    const makers = {
      ofRelease: made ? makerOf(name, objects) : undefined,
      live: made ? makerOf(name, live.get(use.template.namespace) ?? []) : undefined,
    }
    return decideReference(use, presence, makers)
  })
  return {
    findings: together(
      decisions.flatMap(decision => (decision !== undefined && 'finding' in decision ? [decision.finding] : [])),
    ),
    passedOver: decisions.flatMap(decision => (decision !== undefined && 'passedOver' in decision ? [decision.passedOver] : [])),
  }
}

/** Ten containers that miss the same Secret miss one thing. */
function together(findings: readonly PreflightFinding[]): readonly PreflightFinding[] {
  return [...new Map(findings.map(finding => [`${finding.object} ${finding.message}`, finding])).values()]
}

function nameOf({ template, reference }: Use): string {
  return `${template.namespace}/${reference.kind}/${reference.name}`
}

/** Claims that a StatefulSet makes for its pods by itself. */
function ownClaims(template: PodTemplate): readonly string[] {
  const templates = at(template.object, ['spec', 'volumeClaimTemplates'])
  if (!Array.isArray(templates)) return []
  return templates.map(claim => `${template.namespace}/PersistentVolumeClaim/${String(at(claim, ['metadata', 'name']))}`)
}

async function presenceOf(context: CheckContext, { template, reference }: Use, withKeys: boolean): Promise<Presence> {
  const { kind, name, key } = reference
  const { reads, steps } = context
  const { namespace } = template
  const ofCluster = kind === 'PriorityClass' || kind === 'RuntimeClass'
  const declared = ofCluster
    ? objectsToBe(steps).find(object => object.kind === kind && object.metadata.name === name)
    : declaredObject(context, kind, namespace, name)
  if (declared !== undefined) return key === undefined || isFilledByOthers(declared) ? 'there' : keyIn(keysOf(declared), key)
  const goes = steps.some(
    ({ action, body }) =>
      action === 'delete' &&
      body.kind === kind &&
      body.metadata.name === name &&
      (ofCluster || (body.metadata.namespace ?? context.namespace) === namespace),
  )
  if (goes) return 'missing'
  if ((kind === 'Secret' || kind === 'ConfigMap') && withKeys) {
    const reading = await reads.keys(kind, namespace, name)
    if ('unreadable' in reading || reading.found === undefined || key === undefined) return presenceIn(reading)
    return keyIn(reading.found, key)
  }
  // The account's pull secrets are looked at too: one request for both.
  const reading = await (kind === 'ServiceAccount' ? reads.object(kind, namespace, name) : reads.metadata(kind, namespace, name))
  const going = 'found' in reading && reading.found?.metadata.deletionTimestamp !== undefined
  return kind === 'PersistentVolumeClaim' && going ? 'going' : presenceIn(reading)
}

function presenceIn(reading: Reading<unknown>): Presence {
  if ('unreadable' in reading) return 'unreadable'
  return reading.found === undefined ? 'missing' : 'there'
}

function keyIn(keys: ReadonlySet<string>, key: string): Presence {
  return keys.has(key) ? 'there' : { lacksKeyOf: [...keys] }
}

/** An object that is declared empty for a controller to fill, such as OpenShift's bundle of certificates, or a copy of another namespace's. */
function isFilledByOthers({ metadata }: KubernetesObject): boolean {
  const marks = [...Object.keys(metadata.annotations ?? {}), ...Object.keys(metadata.labels ?? {})]
  return marks.some(mark => /inject|replicat|reflect|sync/.test(mark))
}
