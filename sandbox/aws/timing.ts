// How long things take in the simulator, in seconds. The defaults are short of a real Fargate task's half minute, in the same order and proportion.

export const TIMING = {
  /** UpdateService until the service deployment can be described; FACTS of the real one: a second or two. */
  serviceDeployment: 1.5,
  /** Between two looks of the service scheduler that a change asks for. */
  scheduler: 1,
  provisioning: 2,
  /** PENDING before the first image is pulled: the agent takes the task. */
  pending: 1,
  pull: 2,
  /** Containers started until the task is RUNNING: targets are registered meanwhile. */
  activating: 1,
  deprovisioning: 1,
  /** From the task's end to its containers' being asked to stop, where it has no target to drain. */
  deactivating: 0.5,
  /** Wait before the next task after so many failures in a row; the last goes on. The real scheduler ends at a quarter of an hour. */
  backoff: [0, 1, 2, 5, 10, 15, 30, 60] as readonly number[],
  /** How long a stopped task can be described. An hour at the real ECS. */
  stoppedTasksKept: 3600,
  /** Rollback asked for until it begins. */
  rollbackRequested: 1,
  /** One stage of a blue-green deployment that has nothing to wait for. */
  stage: 1,
  /** Between two looks at a service deployment's alarms. */
  alarms: 5,
  /** One lifecycle event of CodeDeploy that has nothing to wait for. */
  lifecycleEvent: 1,
  /** A database snapshot of nothing. */
  snapshot: 30,
} as const

export type Timing = { readonly [name in keyof typeof TIMING]: (typeof TIMING)[name] extends number ? number : readonly number[] }
