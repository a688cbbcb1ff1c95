// The address of what is no URL: `host:port`.
import { TemplateFault } from '../check-file/template.ts'
import { parseHostPort } from '../net/open.ts'

/** @throws TemplateFault; without a usual port there must be one */
export function hostPort(text: string, usual: number | undefined): { readonly host: string; readonly port: number } {
  const found = parseHostPort(text.trim())
  const port = found?.port ?? usual
  if (found === undefined || port === undefined)
    throw new TemplateFault(`must be host:port${usual === undefined ? '' : ', or a host alone'}, such as db.example.com:5432`)
  return { host: found.host, port }
}
