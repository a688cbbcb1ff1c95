// What to do about a tag that is in the registry already.

export const IF_EXISTS = ['skip', 'fail', 'rebuild'] as const
export type IfExists = (typeof IF_EXISTS)[number]

export interface ExistingImage {
  readonly digest: string
  /** The commit it was built from, by its label. */
  readonly revision?: string
}

export type ExistingTagDecision =
  | { readonly action: 'build' }
  | { readonly action: 'skip'; readonly digest: string }
  | { readonly action: 'fail'; readonly message: string }

/**
 * A tag names one commit for good: the same commit is not built again, another one never takes the tag over, unless the user says `rebuild`.
 * @param revision the commit that is to be built
 */
export function decideOnExisting(
  image: string,
  existing: ExistingImage | undefined,
  revision: string | undefined,
  ifExists: IfExists,
): ExistingTagDecision {
  if (existing === undefined || ifExists === 'rebuild') return { action: 'build' }
  const { digest } = existing
  const theirs =
    existing.revision === undefined ? 'an unknown commit (it has no revision label)' : `commit ${existing.revision.slice(0, 12)}`
  if (ifExists === 'fail')
    return {
      action: 'fail',
      message: `${image} is already in the registry (${digest}), built from ${theirs}; nothing was built because if-exists is fail.`,
    }
  if (revision !== undefined && existing.revision === revision) return { action: 'skip', digest }
  const ours = revision === undefined ? 'a commit that is not known' : `commit ${revision.slice(0, 12)}`
  return {
    action: 'fail',
    message: `${image} is already in the registry (${digest}), built from ${theirs}, while this run builds ${ours}; nothing was built. Raise the version or use a tag-scheme with the commit in it; if-exists: rebuild overwrites the tag.`,
  }
}
