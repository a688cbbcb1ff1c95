// How long each sign of trouble may last before it is a failure, and why. What heals, and when, was measured on a real cluster (Kubernetes 1.34).

export interface Grace {
  readonly ms: number
  readonly why: string
}

export const GRACES = {
  InvalidImageName: { ms: 0, why: 'a reference that does not parse never will' },
  ErrImageNeverPull: { ms: 10_000, why: 'imagePullPolicy Never: only somebody who loads the image into the node now can help' },
  ErrImagePull: {
    ms: 45_000,
    why: 'the kubelet pulls again after about 10, 20 and 40 s: an image pushed 12 s late, or a registry away for 12 s, was seen running after 39 s at the latest',
  },
  WrongPlatform: { ms: 0, why: 'the image is there and has nothing for this kind of machine; pulling it again brings the same' },
  CreateContainerConfigError: {
    ms: 25_000,
    why: 'a Secret or ConfigMap created 8 s late was seen to heal after 20 s at the latest',
  },
  RunAsNonRoot: { ms: 0, why: 'the image says which user it runs as; trying again changes neither it nor the securityContext' },
  CreateContainerError: { ms: 25_000, why: 'the runtime may still be clearing away a container of the same name' },
  FailedMount: {
    ms: 36_000,
    why: 'the kubelet mounts again after 0.5, 1, 2, 4, 8, 16 and 32 s: when the try at 33 s has failed too, none comes before 65 s',
  },
  FailedAttachVolume: {
    ms: 90_000,
    why: 'a volume must first be detached from the node of the pod that had it, which a cloud takes a minute for',
  },
  FailedCreatePodSandBox: { ms: 60_000, why: 'the network plugin of a node that has just joined may need a minute' },
  Unschedulable: {
    ms: 30_000,
    why: 'nodes may be coming back, and the scheduler tries again within 10 s of room appearing; for old pods that are ending, and for a node that an autoscaler adds, it is waited beyond that',
  },
  Preempting: { ms: 60_000, why: 'the scheduler is making room: the pods it ends have 30 s by default' },
  UnboundVolume: { ms: 60_000, why: 'a claim is bound when its volume has been made, which a cloud takes half a minute for' },
  FailedCreate: {
    ms: 20_000,
    why: 'an admission webhook may be restarting; quota is free again when old pods are gone, which is waited for beyond that',
  },
  Refused: { ms: 0, why: 'a LimitRange and Pod Security look at the pod alone: the same pod is refused again' },
  CrashingBefore: {
    ms: 15_000,
    why: 'nothing was changed, so its next start will end as the three before it did',
  },
  LongestBackOff: {
    ms: 310_000,
    why: 'the kubelet waits 5 min at most before it starts a crashing container again, and a ConfigMap or Secret of this release may be what it lacked',
  },
  OutdatedPod: {
    ms: 30_000,
    why: 'a StatefulSet waits for a sick pod of the old revision for good; one that is only slow to start, or is being replaced, is done by then',
  },
  ProvisioningFailed: {
    ms: 60_000,
    why: 'the provisioner tries again after 1, 2, 4, 8, 16 and 32 s; a cloud may be out of breath for a moment',
  },
  NoPort: { ms: 20_000, why: 'a Service may be applied some seconds before the workload whose pods it sends to' },
  LoadBalancerFailed: {
    ms: 160_000,
    why: 'the cloud controller tries again after 5, 10, 20, 40 and 80 s: five tries have failed by then',
  },
  Autoscaler: {
    ms: 35_000,
    why: 'its controller looks every 15 s: what it scales may come a moment after it, and is looked for twice more',
  },
  FirstLook: { ms: 20_000, why: 'a new autoscaler is looked at after 15 s' },
  RouteRefused: {
    ms: 30_000,
    why: 'its Gateway, or the Service that it leads to, may come with the same release, and be taken in a moment later',
  },
  GatewayRefused: {
    ms: 60_000,
    why: 'a Gateway asks for a listener, a certificate and an address, each of which may come a moment later',
  },
  KnativeFailed: { ms: 10_000, why: 'a revision may be called failed for a moment while its image is looked up again' },
  OldCondition: {
    ms: 60_000,
    why: 'a controller writes which generation a condition is of when it has seen it; some write it only when the condition changes',
  },
  SyncCache: {
    ms: 120_000,
    why: 'a kubelet that has just started, or has many pods to set up, reads Secrets and ConfigMaps late, and does by itself',
  },
  OneNode: {
    ms: 180_000,
    why: 'the same revision is Ready on another node, so that this node is amiss and not the release: its network or registry mirror may come back; the pod is never moved',
  },
  NodeLost: { ms: 330_000, why: 'a pod whose node is gone is made anew elsewhere after 5 min' },
  NodePressure: {
    ms: 330_000,
    why: 'a node under pressure clears away images and pods, and takes new ones 5 min after the pressure is over',
  },
  NodeAway: { ms: 120_000, why: 'a node that restarts or has just joined is ready after one to two minutes' },
  FailedBinding: {
    ms: 30_000,
    why: 'nothing makes a volume for a claim without class: only a person can, and the controller looks again every 15 s',
  },
  Gone: { ms: 60_000, why: 'a watch that was cut may not have told yet that the object is there' },
} as const satisfies Record<string, Grace>

/**
 * Ends of a container after which it will not come up by itself. Two crashes in a row were seen to heal (after 16 to 21 s), so the third decides.
 * What cannot depend on the moment (the program is not in the image, the memory limit is too small) is decided by the second. A run that began before
 * all else that the release has created was up says little: a program that needs a database beside it ends until that answers, which takes a minute
 * with an image to pull and a disk to make. The fifth end decides then, after about 75 s: the next start would be 80 s away.
 */
export const ENDS_THAT_DECIDE = { crash: 3, deterministic: 2, beforeOthers: 5 } as const

/** What is Ready is found at its Service's address on every node a moment later. */
export const FOUND_MS = 2_000

/**
 * When a container that its liveness or startup probe kills will not come up. Every life lasts as long as the probe's own patience, so the second
 * decision to kill is enough, but not before 20 s are over: a probe of few seconds is no measure of a start. With Kubernetes' own numbers two lives
 * take more than a minute, so after one kill it decides that the probe still fails 45 s after it first did: in a second life that had time for a
 * probe of its own, or because the container has not even ended 20 s after it was asked to.
 */
export const PROBE_KILLS = { twiceMs: 20_000, onceMs: 45_000, notEndingMs: 20_000 } as const

interface ProbeNumbers {
  readonly initialDelaySeconds?: number
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly failureThreshold?: number
}

const seconds = (value: unknown, byDefault: number): number => (typeof value === 'number' && value >= 0 ? value : byDefault)

/** From a container's start until its probe calls it bad, if it never answers: in seconds, with the API's defaults. */
const window = (probe: ProbeNumbers): number =>
  Math.max(1, seconds(probe.periodSeconds, 10)) * Math.max(1, seconds(probe.failureThreshold, 3))

/**
 * How long a running container may be not ready, in ms since it started or lost its Ready: its readiness probe's own initial delay, and 55 s (a release
 * is judged within a minute), or one and a half times as long as the probe itself takes to call it not ready. A program that answers, but that there is
 * no such page or no access (4xx), is up and says no: 25 s, or as long as the probe takes. What starts more slowly than that says so by an initial delay
 * or a startup probe, and then has that time too; or the version before it shows so: it has one and a half times as long as that took (`tookMs`).
 */
export function readinessGraceMs(
  readiness: ProbeNumbers,
  startup: ProbeNumbers | undefined,
  refused: boolean,
  tookMs = 0,
): number {
  const starting = startup == null ? 0 : seconds(startup.initialDelaySeconds, 0) + window(startup)
  const patience = refused ? Math.max(25, window(readiness)) : Math.max(55, 1.5 * window(readiness))
  const ms = (starting + seconds(readiness.initialDelaySeconds, 0) + patience) * 1_000
  return refused ? ms : Math.max(ms, 1.5 * tookMs)
}

/**
 * A pod that became Ready so long after its container had started was Ready before, and lost it for a while: of its start that says nothing. It is also
 * what bounds the grace that comes of it, to five minutes.
 */
export const LONGEST_START_MS = 200_000

/** For how long after a probe's last failure it counts as failing, in ms: until the next one must have been told, with a second for each to arrive. */
export function stillFailingMs(probe: ProbeNumbers): number {
  return (Math.max(1, seconds(probe.periodSeconds, 10)) + seconds(probe.timeoutSeconds, 1) + 2) * 1_000
}

/**
 * By when a failing liveness probe must have been heard of for the first time, in ms since the container started. No longer than 15 s: that covers
 * Kubernetes' own numbers, and whoever delays the probe further says that its answer does not matter before.
 */
export function firstLivenessMs(probe: ProbeNumbers): number {
  return Math.min(15_000, seconds(probe.initialDelaySeconds, 0) * 1_000 + stillFailingMs(probe))
}
