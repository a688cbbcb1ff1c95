// What IAM keeps, which is the same in every region: roles, and which actions the caller may not do.
import { matches } from '../protocol/pattern.ts'
import type { Region } from '../world.ts'

export interface Role {
  readonly arn: string
  readonly name: string
  readonly path: string
  readonly id: string
  readonly createdAt: number
  readonly trust: string
  /** Inline policies by name; they decide nothing here. */
  readonly policies: Map<string, string>
  /** ARNs of managed policies. */
  readonly attached: Set<string>
}

export class Iam {
  readonly region: Region
  readonly roles = new Map<string, Role>()

  constructor(region: Region) {
    this.region = region
  }

  /** The scenario has an AccessDenied fault for the action. */
  denies(action: string): boolean {
    return this.region.world.faults.some(fault => /^AccessDenied/.test(fault.error) && matches(fault.action, action))
  }
}
