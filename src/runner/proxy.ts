// Which proxy leads to an address, by the variables that curl and most programs read: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, in small letters first.
import { isIP } from 'node:net'

/** The proxy's address; undefined where there is none, the host is excepted, or it is this machine. */
export function proxyFor(secure: boolean, host: string, port: number, env: NodeJS.ProcessEnv): URL | undefined {
  const variable = (name: string): string => (env[name.toLowerCase()] || env[name] || '').trim()
  const text = (secure ? variable('HTTPS_PROXY') : variable('HTTP_PROXY')) || variable('ALL_PROXY')
  if (text === '' || isThisMachine(host) || isExcepted(host, port, variable('NO_PROXY'))) return undefined
  const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined
}

function isThisMachine(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return name === 'localhost' || name.endsWith('.localhost') || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

/** `example.com` excepts its subdomains too, with or without a dot before it; `*` excepts everything; an entry may name a port. */
function isExcepted(host: string, port: number, list: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return list
    .split(/[\s,]+/)
    .filter(entry => entry !== '')
    .some(entry => {
      const [, pattern = '', only] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
      if (only !== undefined && Number(only) !== port) return false
      if (pattern === '*') return true
      const bare = pattern.replace(/^\*?\./, '')
      return bare !== '' && (name === bare || name.endsWith(`.${bare}`))
    })
}
