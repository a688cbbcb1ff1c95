// What a check file may expect of an answer.
import { z } from 'zod'
import { parseStatusPatterns } from '../status-pattern.ts'
import { duration, template } from './fields.ts'

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], {
  error: 'must be a text, a number, true, false or null',
})
const json: z.ZodType<unknown> = z.unknown()

/** A value held against one or more demands; a plain value must be equal. */
const demands = z
  .strictObject({
    equals: json.optional().meta({ description: 'The same value.' }),
    not: json.optional().meta({ description: 'Any other value.' }),
    contains: z
      .union([scalar, z.array(scalar)])
      .optional()
      .meta({ description: 'A text within the text, or an entry of the list; of several, each.' }),
    matches: template
      .optional()
      .meta({ description: 'A regular expression in the syntax of RE2, found anywhere in the text.', examples: ['^1\\.4\\.'] }),
    'one-of': z.array(scalar).min(1).optional(),
    above: z.number().optional(),
    'at-least': z.number().optional(),
    below: z.number().optional(),
    'at-most': z.number().optional(),
    exists: z.boolean().optional().meta({ description: 'Whether there is a value at all.' }),
    length: z.number().int().min(0).optional().meta({ description: 'The length of a text or a list.' }),
    count: z.number().int().min(0).optional().meta({ description: 'How many values a path finds.' }),
  })
  .refine(given => Object.keys(given).length > 0, { error: 'demands nothing' })

export const matcherSchema = z
  .union([scalar, demands])
  .meta({ id: 'matcher', description: 'A value that must be equal, or demands on it.' })
export type Matcher = z.output<typeof matcherSchema>
export type Demands = z.output<typeof demands>

const status = z.union([z.number(), z.string()]).transform((value, context) => {
  try {
    return parseStatusPatterns(String(value))
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) })
    return z.NEVER
  }
})
const statusSchema: z.ZodType<readonly string[], unknown> = z
  .union([status, z.array(status)], { error: 'must be an HTTP status such as 200 or 2xx, or a list of these' })
  .transform(values => values.flat())

export const jsonDemands = z
  .record(
    z.string().regex(/^[.$[]/, { error: 'must be a path into the JSON such as .items[0].id, or a JSONPath that starts with $' }),
    matcherSchema,
  )
  .meta({ description: 'Paths into the JSON (.items[0].id, or JSONPath: $.items[?@.ok == false]) and what must be there.' })

const headers = z.record(z.string(), matcherSchema)

/** Of an answer that has a body, without its time. */
const content = {
  status: statusSchema.optional().meta({ description: 'Right statuses: 200, 2xx, or a list. 2xx where nothing is said.' }),
  headers: headers.optional(),
  body: matcherSchema.optional(),
  json: jsonDemands.optional(),
  'json-schema': z
    .union([template, z.record(z.string(), z.unknown())], { error: 'must be a JSON Schema, or the path of a file with one' })
    .optional()
    .meta({ description: 'A JSON Schema that the body must meet, or the path of a file with one.' }),
}

const timeBelow = duration().optional().meta({ description: 'The whole answer must have come sooner.' })

/** What says that something long is done, or has failed for good. */
export const stateSchema = z.strictObject(content)
export type StateDemands = z.output<typeof stateSchema>

export const httpExpectSchema = z.strictObject({ ...content, 'time-below': timeBelow })
export type HttpExpect = z.output<typeof httpExpectSchema>

export const timedExpect = z.strictObject({ 'time-below': timeBelow })
