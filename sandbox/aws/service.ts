// What a simulated service is: its model, and one function for each of the model's operations.
import type { Region, World } from './world.ts'

export interface Call {
  readonly world: World
  readonly region: Region
  /** As IAM names it: `ecs:UpdateService`. */
  readonly action: string
  /** ARN of whoever asks. */
  readonly caller: string
}

/** Takes what the model says and gives what it says; both are checked against it. Timestamps are seconds since 1970. */
// biome-ignore lint/suspicious/noExplicitAny: each handler names the SDK's type of its request; the model's check stands behind it
export type Handler = (input: any, call: Call) => object | undefined

export interface Service {
  /** Name of its file in models/. */
  readonly model: string
  readonly handlers: Readonly<Record<string, Handler>>
  /** The code of the error for a parameter that is missing or wrong. */
  readonly invalid: string
}
