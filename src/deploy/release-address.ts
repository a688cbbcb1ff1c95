// A release's address: `k8s://<namespace>/<app>/<number>` or `ecs://<cluster>/<service>/<family>:<revision>`, one text that later steps can be given.
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

export type ReleaseAddress =
  | { readonly platform: 'k8s'; readonly namespace: string; readonly app: string; readonly number: number }
  | {
      readonly platform: 'ecs'
      readonly cluster: string
      readonly service: string
      readonly family: string
      readonly revision: number
    }

/** A namespace is a DNS label, an app a DNS subdomain: it is the first part of a Secret's name (RFC 1123, as Kubernetes reads it). */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/
/** Names of clusters, services and families in the ECS API. */
const ECS_NAME = /^[A-Za-z0-9_-]{1,255}$/
const COUNT = /^[1-9]\d{0,14}$/

const LONGEST_APP = 240

/** @throws ExpectedFailure InvalidInput that names the part that is wrong */
export function parseReleaseAddress(text: string): ReleaseAddress {
  const wrong = (why: string): ExpectedFailure =>
    new ExpectedFailure(
      'InvalidInput',
      `"${foreignLine(text, 200)}" is no release's address: ${why}. ` +
        'It reads k8s://<namespace>/<app>/<number> or ecs://<cluster>/<service>/<family>:<revision>.',
    )
  const [, platform, rest = ''] = /^([a-z0-9]+):\/\/(.*)$/s.exec(text) ?? []
  const parts = rest.split('/')
  const [first = '', second = '', third = ''] = parts
  if (platform !== 'k8s' && platform !== 'ecs') throw wrong('it starts with neither k8s:// nor ecs://')
  if (parts.length !== 3) throw wrong(`it has ${parts.length} parts after ${platform}:// and not 3`)
  if (platform === 'k8s') {
    if (!LABEL.test(first)) throw wrong('the namespace is not a name Kubernetes takes')
    if (!SUBDOMAIN.test(second) || second.length > LONGEST_APP) throw wrong('the app is not a name Kubernetes takes')
    if (!COUNT.test(third)) throw wrong('the number is not a whole number from 1')
    return { platform, namespace: first, app: second, number: Number(third) }
  }
  const [family = '', revision = '', ...more] = third.split(':')
  if (!ECS_NAME.test(first)) throw wrong('the cluster is not a name ECS takes')
  if (!ECS_NAME.test(second)) throw wrong('the service is not a name ECS takes')
  if (!ECS_NAME.test(family)) throw wrong('the family is not a name ECS takes')
  if (!COUNT.test(revision) || more.length > 0) throw wrong('the revision is not a whole number from 1')
  return { platform, cluster: first, service: second, family, revision: Number(revision) }
}

/** The text `parseReleaseAddress` reads back. */
export function formatReleaseAddress(address: ReleaseAddress): string {
  return address.platform === 'k8s'
    ? `k8s://${address.namespace}/${address.app}/${address.number}`
    : `ecs://${address.cluster}/${address.service}/${address.family}:${address.revision}`
}
