// The small fields of a check file that several kinds of checks share. Each says in words what it takes: that is the error, and the editor's help.
import { z } from 'zod'
import { parseDuration } from '../../runner/duration.ts'

/** Milliseconds, from `90s`, `10m`, `1h30m`. */
export function duration(atLeastMs = 1): z.ZodType<number, string> {
  return z
    .string({ error: 'must be a duration such as 500ms, 90s, 10m or 1h30m' })
    .regex(/^\s*(\d+(\.\d+)?(ms|s|m|h))+\s*$/, { error: 'must be a duration such as 500ms, 90s, 10m or 1h30m' })
    .meta({ examples: ['500ms', '90s', '10m'] })
    .transform((text, context) => {
      const ms = parseDuration(text)
      if (ms !== undefined && ms >= atLeastMs) return ms
      context.addIssue({ code: 'custom', message: ms === undefined ? 'must be 24h at most' : `must be at least ${atLeastMs} ms` })
      return z.NEVER
    })
}

/** A share from 0 to 1, written `5%` or `0.05`. */
export const share: z.ZodType<number, string | number> = z
  .union([z.number().min(0).max(1), z.string().regex(/^\d+(\.\d+)?\s*%$/)], { error: 'must be a share such as 5% or 0.05' })
  .transform((value, context) => {
    const number = typeof value === 'number' ? value : Number(value.replace('%', '')) / 100
    if (number <= 1) return number
    context.addIssue({ code: 'custom', message: 'must be 100% at most' })
    return z.NEVER
  })

export function count(min: number, max: number): z.ZodNumber {
  const error = `must be a whole number from ${min} to ${max}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** What `with` and captures may be called. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/

/** Text in which `${name}` stands for a variable. It is filled in when the check runs. */
export const template: z.ZodString = z.string({ error: issue => (issue.input === undefined ? 'is missing' : 'must be a text') })
