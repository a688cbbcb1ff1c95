// The body of a request: JSON, a form, text, or a file of the workspace.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { workspaceFile } from '../check-file/read.ts'
import type { HttpStep } from '../check-file/smoke-schema.ts'
import type { Scope } from '../smoke/scope.ts'
import { at, type Tools } from './kind.ts'

const LARGEST_UPLOAD = 64 * 1024 * 1024

export type BodyMaker = (scope: Scope) => { readonly bytes: Buffer; readonly type: string | undefined }

export async function compileBody(given: HttpStep, path: readonly PropertyKey[], tools: Tools): Promise<BodyMaker | undefined> {
  if (given.json !== undefined)
    return scope => ({ bytes: Buffer.from(JSON.stringify(scope.fillJson(given.json))), type: 'application/json' })
  if (given.form !== undefined) {
    const entries = Object.entries(given.form)
    return scope => ({
      bytes: Buffer.from(
        new URLSearchParams(entries.map(([name, value]): [string, string] => [name, scope.fill(String(value))])).toString(),
      ),
      type: 'application/x-www-form-urlencoded',
    })
  }
  if (given.body !== undefined)
    return scope => ({ bytes: Buffer.from(scope.fill(given.body ?? '')), type: 'text/plain; charset=utf-8' })
  if (given.upload === undefined) return undefined
  const { file, field = 'file', name, type = 'application/octet-stream', fields = {} } = given.upload
  const found = await at([...path, 'upload', 'file'], () =>
    workspaceFile(tools.file.variables.fill(file), tools.workspace, LARGEST_UPLOAD, 'upload'),
  )
  const content = await readFile(found.path)
  return scope => {
    const boundary = `deploy-actions-${randomBytes(12).toString('hex')}`
    const part = (head: string): string => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n`
    const texts = Object.entries(fields).map(([key, value]) => `${part(`name="${quotedName(key)}"`)}\r\n${scope.fill(value)}\r\n`)
    const head = `${part(`name="${quotedName(scope.fill(field))}"; filename="${quotedName(scope.fill(name ?? basename(found.name)))}"`)}Content-Type: ${scope.fill(type).replace(/[\r\n]/g, '')}\r\n\r\n`
    return {
      bytes: Buffer.concat([Buffer.from(texts.join('') + head), content, Buffer.from(`\r\n--${boundary}--\r\n`)]),
      type: `multipart/form-data; boundary=${boundary}`,
    }
  }
}

/** As browsers write a name in a part's head (WHATWG HTML, multipart form data). */
function quotedName(name: string): string {
  return name.replace(/\r?\n/g, '%0D%0A').replace(/"/g, '%22')
}
