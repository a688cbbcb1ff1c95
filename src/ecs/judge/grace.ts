// How often, or how long, each sign of trouble may be seen before it is a failure, and why.

export interface Grace {
  readonly ms: number
  readonly why: string
}

export interface Repeats {
  /** Tasks of one deployment that must end so, where none of it runs. */
  readonly tasks: number
  readonly why: string
}

/** For what a task's end says. */
export const REPEATS = {
  CannotPullContainerError: {
    tasks: 1,
    why: 'the registry has answered that there is no such image, or that the role may not have it; the next task asks for the same',
  },
  PullTrouble: {
    tasks: 2,
    why: 'a registry that times out or throttles answers the next task, unless the network has no way to it',
  },
  ResourceInitializationError: {
    tasks: 1,
    why: 'a secret, parameter, log group or right that is missing is named; the next task lacks the same',
  },
  ResourceTrouble: {
    tasks: 2,
    why: 'a time-out towards Secrets Manager, CloudWatch or EFS passes, unless the network has no way there',
  },
  CannotStart: {
    tasks: 1,
    why: 'the program is not in the image, or is for another kind of machine; the next task has the same image',
  },
  TaskFailedToStart: {
    tasks: 2,
    why: 'a network interface or a volume may come too late for one task; for two in a row it will not come',
  },
  EssentialContainerExited: {
    tasks: 2,
    why: 'one crash heals when what the program waited for is there at its second start; the second in a row, with none running, is a loop',
  },
  OutOfMemoryError: {
    tasks: 2,
    why: 'a task that needs too much memory needs it again; once may be a heavy request on an old volume',
  },
  Unhealthy: {
    tasks: 2,
    why: 'ECS waits out interval, retries and startPeriod before it stops a task; one slow start passes, two are the rule',
  },
  UnhealthyTarget: {
    tasks: 2,
    why: 'ECS waits out the grace period and the target group its threshold before it stops a task; one slow start passes, two are the rule',
  },
} as const satisfies Record<string, Repeats>

/** Where tasks of the deployment run all the same, ends count as ECS's own breaker counts them: half of the tasks wanted, 3 at least. */
export const BREAKER = { least: 3, share: 0.5, most: 200 } as const

/** For what lasts. */
export const GRACES = {
  Placement: {
    ms: 90_000,
    why: 'ECS tries to place a task again every 15 to 60 s: old tasks that end, or Fargate capacity, are there within 90 s or not soon',
  },
  PlacementWithScaling: {
    ms: 300_000,
    why: 'a capacity provider that scales adds an instance, which takes 3 to 4 minutes to join',
  },
  RoleNotAssumable: { ms: 30_000, why: 'a role that was just made is known everywhere after some 10 s' },
  TargetGroup: { ms: 45_000, why: 'registering a target is tried again; a target group that is being changed is back by then' },
  UnhealthyTargets: {
    ms: 20_000,
    why: 'after the grace period ECS stops a task as soon as its target is unhealthy; where it is slow to, the target has some more checks to mend',
  },
  NotSeen: { ms: 30_000, why: 'a describe may be some seconds behind the change' },
} as const satisfies Record<string, Grace>
