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
  CreateContainerConfigError: {
    ms: 25_000,
    why: 'a Secret or ConfigMap created 8 s late was seen to heal after 20 s at the latest',
  },
  RunAsNonRoot: { ms: 0, why: 'the image says which user it runs as; trying again changes neither it nor the securityContext' },
  CreateContainerError: { ms: 25_000, why: 'the runtime may still be clearing away a container of the same name' },
  FailedMount: {
    ms: 45_000,
    why: 'volumes are attached and mounted again with a growing pause; a Secret that arrives late is mounted within half a minute',
  },
  FailedCreatePodSandBox: { ms: 60_000, why: 'the network plugin of a node that has just joined may need a minute' },
  Unschedulable: {
    ms: 30_000,
    why: 'room appears when old pods have ended (30 s by default) or an autoscaler says that it adds a node, which is waited for as long as the timeout allows',
  },
  FailedCreate: { ms: 20_000, why: 'quota is free again when old pods are gone; an admission webhook may be restarting' },
} as const satisfies Record<string, Grace>

/**
 * Ends of a container after which it will not come up by itself. Two crashes in a row were seen to heal (after 16 to 21 s), so the third decides.
 * What cannot depend on the moment (the program is not in the image, the memory limit is too small) is decided by the second.
 */
export const ENDS_THAT_DECIDE = { crash: 3, deterministic: 2 } as const

/**
 * How long a running container may be not ready, in ms since it started: its readiness probe's own initial delay, and three times as long as
 * the probe itself takes to call a container not ready, 30 s at least. A program that starts more slowly than that says so with a startup probe,
 * and then has the time that the startup probe gives.
 */
export function readinessGraceMs(
  readiness: { initialDelaySeconds?: number; periodSeconds?: number; failureThreshold?: number } | undefined,
  startup: { initialDelaySeconds?: number; periodSeconds?: number; failureThreshold?: number } | undefined,
): number {
  const window = (probe: typeof readiness): number => (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3)
  const starting = startup === undefined ? 0 : (startup.initialDelaySeconds ?? 0) + window(startup)
  return (starting + (readiness?.initialDelaySeconds ?? 0) + Math.max(30, 3 * window(readiness))) * 1_000
}
