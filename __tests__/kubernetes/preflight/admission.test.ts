// Admission: pods that the namespace would refuse, and refusals that say nothing of the pod or are looked at elsewhere.
import { expect, test } from '@jest/globals'
import { ApiFailure } from '../../../src/kubernetes/api.ts'
import { checkAdmission, decideAdmission } from '../../../src/kubernetes/preflight/admission.ts'
import { cluster, context, deployment } from './scene.ts'

// Messages of Kubernetes 1.34, of Gatekeeper and of Kyverno.
test.each<[decision: string, status: number, message: string]>([
  ['finding', 403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'],
  ['warning', 403, 'admission webhook "validation.gatekeeper.sh" denied the request: [labels] you must provide labels: {"team"}'],
  ['warning', 400, 'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/x was blocked'],
  ['warning', 422, "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"],
  ['fine', 403, 'pods is forbidden: User "ci" cannot create resource "pods" in API group "" in the namespace "shop"'],
  ['fine', 403, 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'],
  ['fine', 403, 'pods "x" is forbidden: failed quota: q: must specify limits.cpu for: app'],
  ['fine', 403, 'pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2'],
  ['fine', 403, 'pods "x" is forbidden: error looking up service account shop/none: serviceaccount "none" not found'],
  ['fine', 403, 'pods "x" is forbidden: no PriorityClass with name none was found'],
  ['fine', 400, 'admission webhook "w" does not support dry run'],
  ['fine', 500, 'Internal error occurred: failed calling webhook "w": context deadline exceeded'],
  ['fine', 404, 'namespaces "shop" not found'],
])('%s: %s %s', (decision, status, message) => expect(decideAdmission(status, message)).toBe(decision))

const refusing = (status: number, message: string) =>
  cluster({
    'POST /api/v1/namespaces/shop/pods': () => {
      throw new ApiFailure(status, 'Forbidden', message)
    },
  })

test('a pod that breaks the rules of its namespace', async () => {
  const api = refusing(403, 'pods "preflight-x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true')
  const { findings, warnings } = await checkAdmission(await context(deployment(), api))
  expect(findings).toEqual([
    {
      reason: 'FailedCreate',
      message: expect.stringMatching(/^No pod of deployment\/web can be created: violates PodSecurity .* != true\. Correct /),
      object: 'deployment/web',
      at: expect.objectContaining({ file: 'web.yaml' }),
      mayYetArrive: false,
    },
  ])
  expect(warnings).toEqual([])
})

test('one that a policy refuses', async () => {
  const { findings, warnings } = await checkAdmission(await context(deployment(), refusing(403, 'denied the request: no team')))
  expect([findings.length, warnings?.[0]?.message]).toEqual([0, expect.stringContaining('denied the request: no team')])
})

test.each([
  ['a template that stays', deployment(), deployment()],
  ['no pods now', deployment({ spec: 'replicas: 0' }), ''],
  ['a pod of nobody', 'apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: b}]}\n', ''],
])('nothing is asked of %s', async (_, yaml, live) => {
  const api = refusing(403, 'violates PodSecurity')
  expect((await checkAdmission(await context(yaml, api, live))).findings).toEqual([])
  expect(api.asked).toEqual([])
})

test('an API server that is away is no refusal', async () => {
  const api = cluster({
    'POST /api/v1/namespaces/shop/pods': () => {
      throw new ApiFailure(0, 'Unreachable', 'connection refused')
    },
  })
  await expect(checkAdmission(await context(deployment(), api))).rejects.toThrow('connection refused')
})
