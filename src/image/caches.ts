// Where a build's layers can be kept between runs.

export const CACHES = ['none', 'gha', 'registry'] as const
export type Cache = (typeof CACHES)[number]
