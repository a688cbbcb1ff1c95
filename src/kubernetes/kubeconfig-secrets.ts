// The parts of a kubeconfig that nobody may see: found without a YAML parser, for masks are set before anything is loaded.

const SECRET_FIELD =
  /^[\s-]*["']?(?:token|password|client-key-data|access-token|id-token|refresh-token|client-secret|secret|apikey)["']?\s*:\s*["']?([^"'\s#][^"'\n]*?)["']?\s*(?:#.*)?$/gim
/** The same fields in flow style or JSON: `{"token": "x"}`. */
const FLOW_FIELD =
  /["'](?:token|password|client-key-data|access-token|id-token|refresh-token|client-secret|secret|apikey)["']\s*:\s*["']([^"']+)["']/gi

/** The secrets of a kubeconfig's content, plain or base64; none for a path. */
export function kubeconfigSecrets(raw: string): readonly string[] {
  const compact = raw.replace(/\s+/g, '')
  const encoded = /^[A-Za-z0-9+/]{40,}={0,2}$/.test(compact)
  const content = encoded ? Buffer.from(compact, 'base64').toString() : raw
  const found = [SECRET_FIELD, FLOW_FIELD].flatMap(pattern => [...content.matchAll(pattern)].map(match => match[1] ?? ''))
  return [...new Set([...(encoded ? [compact] : []), ...found])].filter(secret => secret !== '')
}
