// The check file's `gate:` part: metrics that a release is held against.
import { z } from 'zod'

export const gateSchema = z.looseObject({}).meta({ description: 'Metrics that decide whether a release stays.' })

export type Gate = z.output<typeof gateSchema>
