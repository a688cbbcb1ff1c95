// The inputs that make up the request: its address and headers, and the parts of them that nobody may see.
import { InputFault } from '../runner/inputs.ts'
import { SECRET_NAME } from '../runner/secret-name.ts'

/** @throws InputFault; its message never repeats a URL that may hold a password */
export function parseUrl(raw: string): URL {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(raw)?.[1]?.toLowerCase()
  if (scheme === undefined) throw new InputFault('is no URL; write it like https://example.com/health')
  if (scheme !== 'http' && scheme !== 'https')
    throw new InputFault(`the scheme ${scheme}:// is not supported, only http:// and https://`)
  if (!URL.canParse(raw)) throw new InputFault('is no URL that can be read; write it like https://example.com/health')
  const url = new URL(raw)
  if (url.username !== '' || url.password !== '') {
    throw new InputFault(
      'has credentials in it; take them out and use the input header, like `Authorization: Basic <base64 of user:password>`',
    )
  }
  url.hash = ''
  return url
}

/** The password, or the token in its place, of a URL that will be refused, and values of the query that look secret by their name. */
export function secretsOfUrl(raw: string): readonly string[] {
  const [, user = '', password = ''] = /^[^/]*\/\/([^/?#:]*)(?::([^/?#]*))?@/.exec(raw) ?? []
  const query = URL.canParse(raw) ? [...new URL(raw).searchParams] : []
  const values = query.filter(([name]) => SECRET_NAME.test(name)).map(([, value]) => value)
  return [password === '' ? user : password, ...values, ...values.map(encodeURIComponent)].filter(secret => secret !== '')
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~\w-]+$/
/** These say how the message is framed or the connection kept: that is ours to decide. */
const OURS = new Set(['connection', 'content-length', 'transfer-encoding', 'upgrade', 'keep-alive', 'te', 'trailer', 'expect'])

/** `Name: value`. @throws InputFault; its message never repeats the value */
export function parseHeader(entry: string): readonly [name: string, value: string] {
  const colon = entry.indexOf(':')
  if (colon < 0) throw new InputFault('an entry has no colon; write it like `Accept: application/json`')
  const name = entry.slice(0, colon).trim()
  const value = entry.slice(colon + 1).trim()
  if (!HEADER_NAME.test(name))
    throw new InputFault('an entry has no header name before its colon; write it like `Accept: application/json`')
  if (OURS.has(name.toLowerCase())) throw new InputFault(`${name} is set by smoke-test itself and cannot be given`)
  if (value === '') throw new InputFault(`${name} has no value; is the secret it comes from set?`)
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new InputFault(`the value of ${name} has characters that no header can carry`)
  return [name, value]
}

/** The values of headers that carry credentials, and the credential alone where a scheme such as Bearer stands before it. */
export function secretsOfHeaders(raw: string): readonly string[] {
  return raw.split(/\r?\n/).flatMap(line => {
    const colon = line.indexOf(':')
    const value = line.slice(colon + 1).trim()
    if (colon < 0 || value === '' || !SECRET_NAME.test(line.slice(0, colon))) return []
    const credential = /^\w+\s+(\S.*)$/.exec(value)?.[1]
    return credential === undefined ? [value] : [value, credential]
  })
}
