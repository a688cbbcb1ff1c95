// The check file: what may stand in it. The published JSON Schema is made from this; __tests__/checks/check-file holds the two together.
import { z } from 'zod'
import { gateSchema } from '../gate/schema.ts'
import { VARIABLE_NAME } from './fields.ts'
import { smokeSchema } from './smoke-schema.ts'

const variableName = z.string().regex(VARIABLE_NAME, { error: 'must be a name of letters, digits, _ and -' })

export const checkFileSchema = z
  .strictObject({
    with: z
      .record(variableName, z.union([z.string(), z.number(), z.boolean()], { error: 'must be a text, a number, true or false' }))
      .optional()
      .meta({
        description:
          'Variables. `${name}` stands for one in any text below; `${env.NAME}` for an environment variable of the step.',
      }),
    secrets: z.array(z.string()).optional().meta({
      description:
        'Variables, captures and `env.NAME`s whose values nobody may see. Those with a name like token or password are secret by themselves.',
    }),
    smoke: smokeSchema.optional().meta({ description: 'Checks that ask the service itself.' }),
    gate: gateSchema.optional().meta({ description: 'Metrics that decide whether a release stays.' }),
  })
  .refine(file => file.smoke !== undefined || file.gate !== undefined, {
    error: 'has neither smoke nor gate: nothing would be checked',
  })

export type CheckFileContent = z.output<typeof checkFileSchema>
