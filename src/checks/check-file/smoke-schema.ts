// The check file's `smoke:` part.
import { z } from 'zod'

export const smokeSchema = z.looseObject({}).meta({ description: 'Checks that ask the service itself.' })

export type Smoke = z.output<typeof smokeSchema>
