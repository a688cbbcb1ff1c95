// Names of actions with `*`, as in an IAM policy.

/** A `*` stands for anything; case does not matter. */
export function matches(pattern: string, action: string): boolean {
  const parts = pattern.split('*').map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 'i').test(action)
}
