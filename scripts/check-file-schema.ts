// The published JSON Schema of check files, made from the schema that reads them.
import { z } from 'zod'
import { checkFileSchema } from '../src/checks/check-file/schema.ts'

export const CHECK_FILE_SCHEMA = 'schemas/check-file.schema.json'

/** The file's content. */
export function checkFileJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(checkFileSchema, { io: 'input', reused: 'inline' })
  const head = { $schema, title: 'Check file of deploy-actions', description: 'Checks that decide whether a release stays.' }
  return `${JSON.stringify({ ...head, ...schema }, null, 2)}\n`
}
