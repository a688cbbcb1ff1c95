// The labels every image gets, by the names the OCI image specification gives them.

export const REVISION_LABEL = 'org.opencontainers.image.revision'

export interface LabelFacts {
  readonly env: NodeJS.ProcessEnv
  readonly version: string | undefined
  readonly revision: string | undefined
  readonly created: Date
  /** The last part of the repository's name. */
  readonly title: string
}

/**
 * The image's labels, the user's last: they replace ours of the same name.
 * @param own lines `name=value`
 */
export function imageLabels(facts: LabelFacts, own: readonly string[]): Readonly<Record<string, string>> {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = facts.env
  const source = repository === undefined || repository === '' ? undefined : `${server ?? 'https://github.com'}/${repository}`
  const labels: Record<string, string | undefined> = {
    'org.opencontainers.image.created': facts.created.toISOString().replace(/\.\d{3}Z$/, 'Z'),
    [REVISION_LABEL]: facts.revision,
    'org.opencontainers.image.source': source,
    'org.opencontainers.image.title': facts.title,
    'org.opencontainers.image.url': source,
    'org.opencontainers.image.version': facts.version,
  }
  for (const line of own) {
    const equals = line.indexOf('=')
    labels[equals < 0 ? line : line.slice(0, equals)] = equals < 0 ? '' : line.slice(equals + 1)
  }
  return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
